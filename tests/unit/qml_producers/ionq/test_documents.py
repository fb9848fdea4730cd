import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_producers.ionq.documents import cost_of, sight_of
from qml_producers.observing.door import Sight
from quantum_mlops.events import Cost, Failure, Money, ProviderTimes
from quantum_mlops.events.job_status import STATUSES

V03 = {
    "id": "aa54e783-0a9b-4f73-ad2f-63983b6aa4a8",
    "status": "completed",
    "request": 1490932820,
    "target": "qpu.aria-1",
    "shots": 100,
    "cost_usd": 12.41,
    "start": 1490932821,
    "response": 1490932834,
    "execution_time": 13000,
    "predicted_execution_time": 12000,
    "failure": None,
}


def test_a_document_of_v03_is_read():
    assert sight_of(V03) == Sight(
        status="completed",
        times=ProviderTimes(
            created=datetime(2017, 3, 31, 4, 0, 20, tzinfo=UTC),
            started=datetime(2017, 3, 31, 4, 0, 21, tzinfo=UTC),
            ended=datetime(2017, 3, 31, 4, 0, 34, tzinfo=UTC),
        ),
        shots_executed=100,
        qpu_seconds=13.0,
        queue_seconds=1.0,
        predicted_execution_seconds=12.0,
        cost=Cost(final=Money(amount="12.41", currency="USD", source="IonQ API")),
    )


def test_what_is_missing_is_unknown():
    assert sight_of({}) == Sight(status="unknown", status_text="None")
    assert sight_of({"status": "completed", "backend": "qpu.forte-1"}) == Sight(status="completed")


def test_a_failure_has_a_reason_even_where_ionq_gives_none():
    assert sight_of({"status": "failed"}).failure == Failure(code="unknown", message="IonQ gave no reason")
    older = {"status": "failed", "failure": {"error": "An error occurred!", "code": "internal_error"}}
    assert sight_of(older).failure == Failure(code="internal_error", message="An error occurred!")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", Cost(estimated=Money(amount="25.5", currency="USD", source="IonQ API"),
                        reserved=Money(amount="25.5", currency="USD", source="IonQ API"))),
        ("completed", Cost(estimated=Money(amount="25.5", currency="USD", source="IonQ API"),
                           final=Money(amount="24.83", currency="USD", source="IonQ API"))),
    ],
)  # fmt: skip
def test_the_estimate_is_reserved_until_the_job_has_ended(status, expected):
    document = {"estimated_cost": {"value": 25.5, "unit": "usd"}, "cost": {"value": 24.83, "unit": "usd"}}
    assert cost_of(document, status) == expected


def test_credits_are_no_currency_and_null_is_not_free():
    assert cost_of({"cost": {"value": 3, "unit": "credits"}}, "completed") is None
    assert cost_of({"cost": None, "estimated_cost": None}, "completed") is None
    assert cost_of({"cost": {"value": 0, "unit": "usd"}}, "completed").final.amount == "0"
    assert cost_of({"cost": {"value": math.inf, "unit": "usd"}}, "completed") is None


KEYS = (
    *V03, "backend", "submitted_at", "started_at", "completed_at", "predicted_wait_time_ms",
    "predicted_execution_duration_ms", "execution_duration_ms", "cost", "estimated_cost",
)  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("2026-01-01T00:00:00Z")
)
NESTED = VALUES | st.dictionaries(st.sampled_from(["value", "unit", "code", "message", "error"]), VALUES)


@given(
    st.dictionaries(st.sampled_from(KEYS), NESTED),
    st.sampled_from(["queued", "completed"]),
)
def test_no_document_is_an_error(document, status):
    sight = sight_of(document)

    assert sight.status in STATUSES
    assert sight.queue_seconds is None or sight.queue_seconds >= 0
    cost_of(document, status)
