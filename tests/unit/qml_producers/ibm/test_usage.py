from datetime import UTC, datetime

import pytest

from qml_producers.ibm.usage import read_metrics

TIMES = {"created": "2026-01-01T10:00:00Z", "running": "2026-01-01T10:00:30.5Z", "finished": "2026-01-01T10:00:40Z"}


def test_times_and_the_wait_are_the_services_own():
    usage = read_metrics({"timestamps": TIMES, "usage": {"status": "complete", "qpu_charge_time_seconds": 4}})
    assert usage.times.created == datetime(2026, 1, 1, 10, 0, 0, tzinfo=UTC)
    assert usage.times.ended == datetime(2026, 1, 1, 10, 0, 40, tzinfo=UTC)
    assert (usage.queue_seconds, usage.qpu_seconds, usage.is_final) == (30.5, 4.0, True)


def test_a_zero_is_free_only_where_the_service_says_that_it_is_final():
    final = read_metrics({"usage": {"status": "complete", "qpu_charge_time_seconds": 0}})
    assert (final.qpu_seconds, final.is_final) == (0.0, True)
    for usage in ({"status": "pending", "qpu_charge_time_seconds": 0}, {"quantum_seconds": 0}, {"seconds": 0}, {}):
        found = read_metrics({"timestamps": TIMES, "usage": usage})
        assert (found.qpu_seconds, found.is_final) == (None, False)


@pytest.mark.parametrize(
    "metrics", [{"usage": {"quantum_seconds": 3}}, {"usage": {"seconds": 3}}, {"usage": {}, "bss": {"seconds": 3}}]
)
def test_the_older_keys_are_read_and_final_once_the_job_is_over(metrics):
    assert read_metrics({"timestamps": TIMES, **metrics})[1::2] == (3.0, True)
    assert read_metrics(metrics)[1::2] == (3.0, False)


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"timestamps": None, "usage": None, "bss": "none"},
        {"timestamps": {"created": "yesterday", "running": 5}, "usage": {"qpu_charge_time_seconds": "4"}},
        {"timestamps": {"created": "2026-01-01T10:00:00"}, "usage": {"status": "complete"}},
        {"usage": {"status": "complete", "qpu_charge_time_seconds": float("nan")}},
        {"usage": {"status": "complete", "qpu_charge_time_seconds": True}},
    ],
)
def test_what_has_another_shape_is_not_said(metrics):
    assert read_metrics(metrics) == (None, None, None, False)


def test_a_job_that_ran_before_it_was_created_has_no_wait():
    assert read_metrics({"timestamps": {**TIMES, "running": "2026-01-01T09:00:00Z"}}).queue_seconds is None
