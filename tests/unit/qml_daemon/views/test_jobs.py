"""A job's state is the same for any order of its events, with any of them told again."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.views.jobs import JobRow
from qml_daemon.views.merged import Merged
from quantum_mlops.events import Cost, Event, Footprint, Job, Money, ProviderTimes, type_name
from quantum_mlops.events.job_status import STATUSES

EPOCH = datetime(2026, 11, 21, tzinfo=UTC)
maybe = st.none() | st.integers(0, 3)
moments = st.none() | st.integers(0, 5).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
amounts = st.none() | st.integers(0, 3).map(lambda number: Money(amount=f"{number}.5", currency="USD"))
jobs = st.builds(
    Job,
    job_id=st.just("j"),
    backend=st.sampled_from([None, "hanoi", "osaka"]),
    shots_requested=maybe,
    pending_jobs=maybe,
    footprint=st.none() | st.builds(Footprint, qubits=st.lists(st.integers(0, 5), max_size=3)),
    times=st.none() | st.builds(ProviderTimes, created=moments, ended=moments),
    cost=st.none() | st.builds(Cost, estimated=amounts, final=amounts),
)
told = st.lists(st.tuples(st.sampled_from([*STATUSES, "billed"]), jobs, st.integers(1, 6)), min_size=1, max_size=12)


def merge(events: list[Event]) -> tuple[object, ...]:
    row = JobRow("iris", "j", 0, 0)
    for event in events:
        row.apply(event, event.data)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=JobRow)
    by = {name: tuple(row.merged.stamps[place]) for name, place in row.merged.told.items()}
    return row.status, row.first_time, row.last_time, row.merged.facts, by, row.columns


@given(told=told, data=st.data())
def test_any_order_with_repeats_gives_the_same_job(told, data) -> None:
    events = [
        Event(id=f"{n:x}", source="qml://h/a/0", type=type_name(f"job.{status}"), time=time, partitionkey="p", data=job)
        for n, (status, job, time) in enumerate(told)
    ]
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled = data.draw(st.permutations([*events, *again]))
    assert merge(shuffled) == merge(events)


def test_a_fact_is_the_one_of_the_latest_provider_time_not_of_the_latest_emitter() -> None:
    row = JobRow("iris", "j", 0, 0)
    late = Job(job_id="j", pending_jobs=1, times=ProviderTimes(started=EPOCH + timedelta(hours=1)))
    early = Job(job_id="j", pending_jobs=9, times=ProviderTimes(queued=EPOCH))
    for job, time in ((late, 1), (early, 2)):
        row.apply(
            Event(id=str(time), source="s", type=type_name("job.queued"), time=time, partitionkey="", data=job), job
        )
    assert row.merged.facts["pending_jobs"] == 1
    assert row.merged.facts["provider_queued"] == "2026-11-21T00:00:00Z"


def test_stamps_that_no_fact_rests_on_are_dropped() -> None:
    merged = Merged()
    for number in range(100):
        merged.tell((number, "s", str(number)), {"pending": number})
    merged.tell((3, "s", "3"), {"pending": 3, "shots": 7})
    assert merged.facts == {"pending": 99, "shots": 7}
    assert len(merged.stamps) <= 10
