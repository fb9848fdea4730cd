"""What the trainer's wrapper and the follower tell of one job, in any order and some of it twice, is one state."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from qml_daemon.views.jobs import JobRow
from qml_processors.cost import CostProcessor
from qml_processors.cost.usual import Usual
from qml_processors.lifecycle import JobsProcessor
from qml_processors.lifecycle.state import JobsState
from qml_processors.runner.duplicates import CountedSource, ForeignSource, is_counted
from qml_producers.following.jobs import Jobs
from qml_producers.following.plan import Plan
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Rules
from quantum_mlops.config.rules.cost import Cap, CostRule
from quantum_mlops.events import Circuit, Context, Cost, Event, Failure, Job, Money, ProviderTimes, type_name

T0 = 1_800_000_000 * SECOND
LOG_TIME = T0 + 100 * SECOND
ENDS = ("completed", "failed", "cancelled")
RULES = Rules(cost=CostRule(caps=[Cap(per=per, amount="1000", currency="USD") for per in ("job", "run", "day")]))


def moment(seconds):
    return datetime.fromtimestamp(T0 // SECOND + seconds, UTC)


TIMES = ProviderTimes(created=moment(0), queued=moment(1), started=moment(20), ended=moment(30))
HALF = ProviderTimes(created=moment(0), queued=moment(1))
RAN = ProviderTimes(created=moment(0), queued=moment(1), started=moment(20))


def dollars(amount, stage="final"):
    return Cost(**{stage: Money(amount=amount, currency="USD", price_version="v1")})


@st.composite
def stories(draw):
    """A trainer that was killed somewhere on its way, and a follower that looked some times."""
    end, other_end = draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS))
    estimate = draw(st.sampled_from([None, dollars("1.10", "estimated")]))
    told = [
        (
            "created",
            {"cost": estimate, "circuits": [Circuit(identity="c1:ab")], "shots_requested": 100, "executions": 1},
        )
    ]
    told += [
        ("queued", {}),
        ("running", {}),
        (end, {"times": draw(st.sampled_from([None, TIMES])), "shots_executed": 100}),
    ]
    told = [told[0], *draw(st.lists(st.sampled_from(told[1:]), unique_by=lambda one: one[0], max_size=3))]
    failure = Failure(code="1517") if other_end == "failed" else None
    cost = draw(st.sampled_from([None, dollars("1.20")]))
    sights = [
        Sight(status="queued", times=HALF, queue_position=3),
        Sight(status="running", times=RAN),
        Sight(status="unknown", status_text="PAUSED"),
        Sight(status=other_end, times=TIMES, shots_executed=100, failure=failure),
        Sight(
            status=other_end,
            times=TIMES,
            shots_executed=100,
            failure=failure,
            qpu_seconds=4.0,
            cost=cost,
            is_billed=True,
        ),
    ]
    seen = [
        sight for sight, kept in zip(sights, draw(st.lists(st.booleans(), min_size=5, max_size=5)), strict=True) if kept
    ]
    heard = draw(st.integers(1, len(told)))  # what of the trainer's events the log had before the first look
    wrapper = [
        Event(
            id=f"{number:016x}", source="qml://lab/n/0", type=type_name(f"job.{status}"), time=T0 + number * SECOND,
            partitionkey="iris", project="iris", context=Context(runid="r1", step=3), ingestedtime=LOG_TIME,
            data=Job(job_id="j1", provider="ibm", provider_job_id="j1", backend="ibm_fez", **fields),
        )
        for number, (status, fields) in enumerate(told)
    ]  # fmt: skip
    return wrapper, follow(wrapper, heard, seen)


def follow(wrapper, heard, seen):
    """Return the follower's own events, as they stand in the log."""
    jobs = Jobs(["ibm"])
    plan = Plan(jobs, ["ibm"], 1.0, 6000)
    found = []
    for event in wrapper[:heard]:
        jobs.take(event, LOG_TIME)
    for number, sight in enumerate(seen):
        job = jobs.get(("iris", "j1"))
        if job is None:
            break
        told = plan.judge(("iris", "j1"), sight)
        found += [
            Event(
                id=one.id, source=one.source, type=type_name(one.kind), time=T0 + (40 + number) * SECOND,
                partitionkey=job.partitionkey, project=job.project, context=job.context, ingestedtime=LOG_TIME, data=one.data,
            )
            for one in told
        ]  # fmt: skip
        plan.settle(("iris", "j1"), sight, told, LOG_TIME, 0.0)
    return found


def once(events):
    """Pass each event on once, by the rules of the runner."""
    sources = {}
    for event in events:
        kind = CountedSource if is_counted(event.source, event.id) else ForeignSource
        if sources.setdefault(event.source, kind(("iris", event.source))).add(event.id, LOG_TIME):
            yield event


def states(events):
    """Return every series' state, as the checkpoint would hold it."""
    found = {}
    for processor in (JobsProcessor(), CostProcessor()):
        for event in once(events):
            for key in processor.keys(event):
                state = found.setdefault((processor.name, key), processor.open(key))
                list(processor.apply(state, event, RULES))
    for state in found.values():
        _leave_out_arrival(state)
    return {name: msgspec.msgpack.encode(state) for name, state in found.items()}


def _leave_out_arrival(state):
    """Two memories are of the arrival and not of the job: when to look next, and a backend's first quote of a job."""
    if isinstance(state, JobsState):
        state.table.look, state.table.look_for = None, ""
    elif state.backend is not None:
        state.backend.usual = Usual()


@settings(max_examples=150)
@given(stories(), st.data())
def test_any_order_with_repeats_leaves_the_same_bytes(story, data):
    wrapper, follower = story
    events = [*wrapper, *follower]
    again = data.draw(st.lists(st.sampled_from(events), max_size=4))
    shuffled = data.draw(st.permutations([*events, *again]))
    assert states(shuffled) == states(events)


@settings(max_examples=100)
@given(stories(), st.data())
def test_and_the_same_row_in_the_views(story, data):
    wrapper, follower = story
    events = [*wrapper, *follower]

    def row(order):
        found = JobRow(project="iris", job_id="j1", seen=0, changed=0)
        for event in order:
            found.apply(event, event.data)
        return (found.status, found.merged.facts, found.columns)

    again = data.draw(st.lists(st.sampled_from(events), max_size=4))
    assert row(data.draw(st.permutations([*events, *again]))) == row(events)
