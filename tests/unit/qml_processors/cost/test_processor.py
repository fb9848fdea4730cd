import pytest

from qml_processors.cost import CostProcessor
from qml_processors.cost.money import say_amount
from qml_processors.cost.state import open_state
from quantum_mlops.events import Context, Cost, Event, Job, MetricLogged, Money, RunEnded, Session, type_name

KNOWN = Cost(final=Money(amount="1", currency="USD"))


def keys(kind, data, run="r"):
    event = Event(
        id="1", source="s", type=type_name(kind), time=0, partitionkey="p", context=Context(runid=run), data=data
    )
    return list(CostProcessor().keys(event))


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("job.created", Job(job_id="j", backend="b", cost=KNOWN), ["job/j", "run/r", "spend", "backend/b"]),
        ("job.billed", Job(job_id="j", cost=KNOWN), ["job/j", "run/r", "spend"]),
        ("job.created", Job(job_id="j", backend="b"), ["backend/b"]),
        ("job.created", Job(job_id="j", backend="b", cost=Cost()), ["backend/b"]),
        ("job.failed", Job(job_id="j", backend="b"), ["backend/b"]),
        ("job.completed", Job(job_id="j", backend="b"), ["run/r"]),
        ("job.running", Job(job_id="j", session_id="s"), ["session/s"]),
        ("job.queued", Job(job_id="j", session_id="s"), []),
        ("session.idle", Session(session_id="s"), ["session/s"]),
        ("session.closed", Session(session_id="s", cost=KNOWN), ["session/s", "run/r", "spend"]),
        ("metric.logged", MetricLogged(values={"cost": 1.0}), []),
        ("run.ended", RunEnded(status="completed", duration_seconds=1.0), []),
    ],
)
def test_an_event_touches_only_what_it_speaks_of(kind, data, expected):
    assert keys(kind, data) == expected


def test_a_job_without_a_run_is_booked_without_one():
    assert keys("job.completed", Job(job_id="j"), run=None) == ["run/"]


@pytest.mark.parametrize("key", ["job/a/b", "run/", "spend", "backend/x", "session/s"])
def test_a_state_is_of_one_kind(key):
    state = open_state(key)
    assert [bool(getattr(state, name)) for name in state.__struct_fields__].count(True) == 1


def test_an_amount_reads_as_money_and_stays_exact():
    assert say_amount("-1234567.891", "EUR") == "-1,234,567.891 EUR"
    assert say_amount("0", "USD") == "0.00 USD"
