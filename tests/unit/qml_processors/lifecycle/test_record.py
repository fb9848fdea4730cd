import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qml_processors.lifecycle import JobsProcessor
from qml_processors.lifecycle.record import JobRecord, dwell_seconds, merge, queue_seconds
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import LifecycleRule, Rules
from quantum_mlops.config.rules.lifecycle import FailuresRule, QueueObjective
from quantum_mlops.events import Event, Failure, Job, ProviderTimes, type_name
from quantum_mlops.timestamps import format_time

T0 = 1_800_000_000 * SECOND
RULES = Rules(
    lifecycle=LifecycleRule(
        failures=FailuresRule(minimum_jobs=1, false_alarms="1 per 10 observations"),
        queue=[QueueObjective(name="Fast", queue_seconds=5.0, target=0.9, minimum_jobs=1)],
    )
)
SECONDS = st.integers(0, 9)


def _utc(second):
    return msgspec.convert(format_time(T0 + second * SECOND), ProviderTimes.__annotations__["queued"].__args__[0])


@st.composite
def job_events(draw, ends=("completed", "failed", "cancelled")):
    """Return events of one job from up to three emitters that contradict each other, with one end or none."""
    end = draw(st.sampled_from(ends))
    statuses = ["created", "queued", "running", "unknown", "billed", end]
    found = []
    for number in range(draw(st.integers(1, 7))):
        times = ProviderTimes(
            queued=draw(st.none() | SECONDS.map(_utc)),
            started=draw(st.none() | SECONDS.map(_utc)),
            ended=draw(st.none() | SECONDS.map(_utc)),
        )
        status = draw(st.sampled_from(statuses))
        code = draw(st.none() | st.sampled_from(["1517", "8001"]))
        found.append(
            Event(
                id=f"{number:016x}",
                source=draw(st.sampled_from(["qml://a/n/0", "qml://b/n/0", "follower"])),
                type=type_name(f"job.{status}"),
                time=T0 + draw(SECONDS) * SECOND,
                partitionkey="iris",
                project="iris",
                ingestedtime=T0 + 10 * SECOND,
                data=Job(
                    job_id="j1",
                    backend="hanoi",
                    times=draw(st.sampled_from([None, times])),
                    failure=None if code is None else Failure(code=code),
                ),
            )
        )
    return found


def _record(events):
    record = JobRecord()
    for event in events:
        merge(record, event, event.data)
    return msgspec.msgpack.encode(record)


@given(job_events(), st.data())
def test_any_order_of_a_jobs_events_with_repeats_gives_the_same_record(events, data):
    shuffled = data.draw(st.permutations(events))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(events), max_size=4))]
    assert _record(repeated) == _record(events)


def test_even_two_different_ends_merge_into_one(story):
    events = [
        story.job("j1", "created", 0), story.job("j1", "cancelled", 5, source="follower"),
        story.job("j1", "failed", 4, code="1517"), story.job("j1", "completed", 6),
    ]  # fmt: skip
    assert len({_record(order) for order in itertools.permutations(events)}) == 1
    record = msgspec.msgpack.decode(_record(events), type=JobRecord)
    assert (record.status, record.counts, record.failed) == ("completed", True, False)


def _series(events):
    """Return the state and what was found, ids of the events aside, after all events arrived at one instant."""
    processor = JobsProcessor()
    state = processor.open("backend/hanoi")
    found = []
    for number in range(40):  # earlier jobs, so that something can open
        data = Job(
            job_id=f"old-{number}", backend="hanoi", times=ProviderTimes(queued=_utc(0), started=_utc(number % 5))
        )
        old = Event(
            id=f"{number:016x}", source="qml://a/n/1", type=type_name("job.failed" if number % 3 else "job.completed"),
            time=T0 - (50 - number) * SECOND, partitionkey="iris", project="iris", ingestedtime=T0, data=data,
        )  # fmt: skip
        found += processor.apply(state, old, RULES)
    for event in events:
        found += processor.apply(state, event, RULES)
    while (due := processor.next_timer(state, RULES)) is not None:
        found += processor.on_timer(state, due, RULES)
    return msgspec.msgpack.encode(state), [msgspec.json.encode(finding) for finding in found]


@given(job_events(), st.data())
def test_any_order_of_a_jobs_events_gives_the_same_state_at_the_end(events, data):
    # a bill alone is of no known job: it is passed over until the job is heard of
    events = [replace(event, type=type_name("job.created")) if "billed" in event.type else event for event in events]
    shuffled = data.draw(st.permutations(events))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(events), max_size=3))]
    assert _series(repeated)[0] == _series(events)[0]


@given(st.data(), st.sampled_from(["completed", "failed"]))
def test_any_order_of_one_emitters_events_gives_the_same_findings(data, end):
    seconds = {"created": 0, "queued": 1, "running": 8, end: 9}
    times = ProviderTimes(queued=_utc(1), started=_utc(8))
    events = [
        Event(
            id=f"{number:016x}", source="qml://a/n/0", type=type_name(f"job.{status}"), time=T0 + second * SECOND,
            partitionkey="iris", project="iris", ingestedtime=T0 + 10 * SECOND,
            data=Job(job_id="j1", backend="hanoi", times=times, failure=Failure(code="1517") if end == "failed" else None),
        )
        for number, (status, second) in enumerate(seconds.items())
    ]  # fmt: skip
    shuffled = data.draw(st.permutations(events))
    state, found = _series(events)
    assert _series([*shuffled, *shuffled]) == (state, found)
    assert found


def test_the_queue_time_is_the_providers_or_one_emitters_never_across_two(story):
    provider = _merged(
        story.job("j", "queued", 1), story.job("j", "running", 100),
        story.job("j", "completed", 120, times={"queued": 10, "started": 30}),
    )  # fmt: skip
    assert queue_seconds(provider) == 20.0
    assert queue_seconds(_merged(story.job("j", "queued", 1), story.job("j", "running", 100))) == 99.0
    two = _merged(story.job("j", "queued", 1), story.job("j", "running", 100, source="follower"))
    assert queue_seconds(two) is None
    half = _merged(story.job("j", "queued", 1, times={"queued": 1}), story.job("j", "running", 7, source="follower"))
    assert queue_seconds(half) is None


def test_a_provider_without_a_queued_time_waits_from_its_created_time(story):
    assert queue_seconds(_merged(story.job("j", "completed", 9, times={"created": 2, "started": 5}))) == 3.0


def test_a_wait_that_would_be_negative_is_unknown(story):
    assert queue_seconds(_merged(story.job("j", "completed", 9, times={"queued": 6, "started": 5}))) is None


@pytest.mark.parametrize(("status", "seconds"), [("created", 2.0), ("queued", 18.0), ("running", 40.0)])
def test_the_time_in_each_status(story, status, seconds):
    events = [
        story.job("j", name, at) for name, at in (("created", 0), ("queued", 2), ("running", 20), ("completed", 60))
    ]
    assert dwell_seconds(_merged(*events), status) == seconds


def _merged(*events):
    record = JobRecord()
    for event in events:
        merge(record, event, event.data)
    return record
