"""What every processor promises, run over each one that is registered as an entry point."""

import random
import re
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from qml_processors.base import Finding, Forget, Summary
from qml_processors.runner import Runner, RunnerConfig, config_event, replay, tick_event
from qml_processors.runner.plugins import GROUP, load_processors
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from quantum_mlops.codec import decode, encode
from quantum_mlops.config.rules import (
    CostRule,
    DriftRule,
    LifecycleRule,
    ResultsRule,
    Rules,
    SummariesRule,
    ThresholdRule,
    TrainingRule,
)
from quantum_mlops.config.rules.cost import Budget, Cap
from quantum_mlops.config.rules.lifecycle import FailuresRule, QueueObjective, StuckRule
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import (
    Context,
    Cost,
    Event,
    Footprint,
    Job,
    MetricLogged,
    Money,
    Outcomes,
    RunEnded,
    RunHeartbeat,
    ShotsMeasured,
    short_name,
    type_name,
)
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog

START = 1_800_000_000 * SECOND
GOLDEN = Path(__file__).parent.parent / "golden" / "events"
NOT_SHOWN = ("tick", "config.applied", "finding", "summary")
WATCHING = Rules(
    threshold=[
        ThresholdRule(name="HighLoss", metric="loss", above=0.7, for_="10s", keep_firing_for="30s"),
        ThresholdRule(name="LowAccuracy", metric="accuracy", below=0.3),
        ThresholdRule(name="NoAccuracy", metric="accuracy", absent="2m"),
        ThresholdRule(name="Chatty", kind="rate", event="metric.logged", above=3.0, window="5m"),
        ThresholdRule(name="DearJob", kind="cost", per="job", currency="USD", above=0.1),
        ThresholdRule(name="Jobs", kind="count", event="job.completed", per="project", above=0, window="1h"),
    ],
    drift=DriftRule(warmup=5),
    lifecycle=LifecycleRule(
        stuck=StuckRule(least="1m", cap_created="5m", cap_running="5m"),
        failures=FailuresRule(minimum_jobs=5, highest_normal=0.1, false_alarms="1 per 10 observations"),
        queue=[QueueObjective(name="Prompt", queue_seconds=1.0, target=0.9, minimum_jobs=1)],
    ),
    summaries=SummariesRule(window="30s"),
    cost=CostRule(
        caps=[Cap(per=per, amount="4", currency="USD") for per in ("job", "run", "day")],
        budgets=[
            Budget(name="Small", amount="20", currency="USD"),
            Budget(name="All", amount="9", currency="EUR", period="total"),
        ],
    ),
)
NOTHING = Rules(
    cost=CostRule(enabled=False),
    drift=DriftRule(enabled=False),
    lifecycle=LifecycleRule(enabled=False),
    results=ResultsRule(enabled=False),
    summaries=SummariesRule(enabled=False),
    training=TrainingRule(enabled=False),
)
PROCESSORS = {processor.name: type(processor) for processor in load_processors()}


@pytest.fixture(params=sorted(PROCESSORS))
def processor(request):
    return PROCESSORS[request.param]()


@pytest.fixture(scope="module")
def events():
    """Return 600 events: every golden one, runs with metrics, canaries that shift half-way, some twice or late."""
    rng = random.Random(20261121)
    found = []
    golden = [decode(path.read_bytes()) for path in sorted(GOLDEN.glob("*.json"))]
    golden = [event for event in golden if not (short_name(event.type) or "").startswith(NOT_SHOWN)]
    now = START
    for number in range(600):
        now += rng.choice([0, SECOND, 2 * SECOND, 5 * SECOND, MINUTE])
        event = rng.choice([*golden, *(_metric, _canary, _metric, _canary, _ended, _job, _beat) * 8])
        if not isinstance(event, Event):
            event = event(rng, number)
        lag = rng.choice([0, 0, 0, SECOND, HOUR])
        event = replace(event, id=f"{number:016x}", source="qml://host/0a1b/0", time=now - lag, ingestedtime=now)
        found.append(decode(encode(event)))
    return found


def _event(kind, data, run=None):
    project = "iris"
    return Event(
        id="0", source="s", type=type_name(kind), time=0, partitionkey=project, project=project,
        context=Context(runid=run), data=data,
    )  # fmt: skip


def _metric(rng, number):
    values = {"loss": rng.random(), "accuracy": rng.random()}
    nonfinite = dict.fromkeys(("gradient", "train_loss"), rng.choice(["nan", "inf"])) if rng.random() < 0.1 else {}
    return _event("metric.logged", MetricLogged(values=values, nonfinite=nonfinite), f"run-{rng.randrange(3)}")


def _beat(rng, number):
    return _event("run.heartbeat", RunHeartbeat(uptime_seconds=30.0), f"run-{number // 20}")


def _ended(rng, number):
    return _event("run.ended", RunEnded(status="completed", duration_seconds=1.0), f"run-{rng.randrange(3)}")


def _job(rng, number):
    kind = rng.choice(["created", "running", "completed", "failed", "billed"])
    money = Money(amount=f"{rng.expovariate(1.0):.2f}", currency=rng.choice(["USD", "USD", "EUR"]))
    cost = rng.choice([None, Cost(estimated=money), Cost(reserved=money), Cost(final=money)])
    warnings = ["wrong-bits: a sampler"] if number % 9 == 0 else []
    shots = rng.choice([1000, 4000])
    data = Job(job_id=f"j-{number // 3}", backend="hanoi", shots_requested=shots, cost=cost, warnings=warnings)
    return _event(f"job.{kind}", data, f"run-{rng.randrange(3)}")


def _canary(rng, number):
    shift = 0.3 if number > 300 else 0.0
    weights = [0.5 - shift, 0.2 + shift, 0.2, 0.1]
    drawn = rng.choices(range(4), weights, k=2048)
    data = ShotsMeasured(
        job_id=f"job-{number}",
        backend="hanoi",
        footprint=Footprint(qubits=[0, 1], edges=[(0, 1)], calibration_id=f"k1:{'b' if shift else 'a'}"),
        circuit="c1:canary",
        parameters="p",
        reference="canary",
        shots=2048,
        outcomes=Outcomes(bits=2, keys=bytes(range(4)), counts=[drawn.count(outcome) for outcome in range(4)]),
    )
    return _event("canary.measured", data, "run-0")


class Series:
    """One series as the runner holds it, optionally through bytes after every step."""

    def __init__(self, processor, key, *, through_bytes):
        self.processor = processor
        self.key = key
        self.through_bytes = through_bytes
        self.state = processor.open(key)
        self.last = START
        self.steps = []
        self.open = set()

    def step(self, outputs):
        said = list(outputs)
        for output in said:
            self._follow(output)
        data = msgspec.msgpack.encode(self.state)
        self.steps.append((data, msgspec.msgpack.encode([(type(o).__name__, o) for o in said])))
        if said and isinstance(said[-1], Forget):
            self.state = self.processor.open(self.key)
        elif self.through_bytes:
            self.state = msgspec.msgpack.decode(data, type=self.processor.state)
            assert msgspec.msgpack.encode(self.state) == data

    def _follow(self, output):
        assert isinstance(output, Finding | Summary | Forget)
        if isinstance(output, Finding) and output.transition == "opened":
            assert output.rule not in self.open
            self.open.add(output.rule)
        elif isinstance(output, Finding) and output.transition in {"updated", "closed"}:
            assert output.rule in self.open
            if output.transition == "closed":
                self.open.remove(output.rule)
        elif isinstance(output, Forget):
            assert not self.open

    def timers(self, until, rules, floor=0, most=1000):
        for _ in range(most):
            timer = self.processor.next_timer(self.state, rules)
            if timer is None or max(timer, floor, self.last) > until:
                return timer
            due = max(timer, floor, self.last)
            self.step(self.processor.on_timer(self.state, due, rules))
            following = self.processor.next_timer(self.state, rules)
            assert following is None or following > due
            self.last = due
        pytest.fail(f"{self.processor.name}: more than {most} timers without an event")

    def show(self, event, rules):
        before = msgspec.msgpack.encode(self.state)
        quiet = hasattr(self.processor, "opens") and not self.processor.opens(self.state, event, rules)
        assert msgspec.msgpack.encode(self.state) == before
        outputs = list(self.processor.apply(self.state, event, rules))
        if quiet:
            assert not any(getattr(output, "transition", "") in {"opened", "notice"} for output in outputs)
        self.step(outputs)
        self.last = event.ingestedtime


def play(processor, events, *, through_bytes=False, after=WATCHING):
    """Run events through all series of a processor: WATCHING, then for the last quarter `after`."""
    series = {}
    for index, event in enumerate(events):
        rules = WATCHING if index < len(events) * 3 // 4 else after
        for key in processor.keys(event):
            address = (event.partitionkey, key)
            if address not in series:
                series[address] = Series(processor, key, through_bytes=through_bytes)
            series[address].timers(event.ingestedtime, rules)
            series[address].show(event, rules)
    return series


def test_the_house_has_processors_and_their_names_are_unique():
    names = [entry.load()().name for entry in entry_points(group=GROUP)]
    assert {"cost", "drift", "summaries", "threshold"} <= set(names)
    assert len(names) == len(set(names))


def test_name_version_and_state_are_declared(processor):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", processor.name)
    assert isinstance(processor.version, int)
    assert processor.version >= 1
    assert issubclass(processor.state, msgspec.Struct)


def test_states_declare_no_sets(processor):
    kinds = str(msgspec.inspect.type_info(processor.state))
    assert "SetType" not in kinds


def test_keys_are_ordered_strings_without_repeats_and_leave_the_event_alone(processor, events):
    for event in events:
        before = encode(event)
        keys = processor.keys(event)
        assert not isinstance(keys, str)
        assert all(isinstance(key, str) for key in keys)
        assert len(set(keys)) == len(keys)
        assert list(keys) == list(PROCESSORS[processor.name]().keys(event))
        assert encode(event) == before


def test_what_a_processor_says_of_its_keys_holds(processor, events):
    takes = getattr(processor, "takes", None)
    by_run = getattr(processor, "by_run", ())
    seen = {}
    for event in events:
        kind = event.data.__class__
        keys = list(processor.keys(event))
        if takes is not None and kind not in takes:
            assert not keys
        if kind in by_run:
            place = (kind, event.project, event.context.runid)
            if kind is Job:
                if event.data.cost is not None or event.data.session_id is not None:
                    continue
                place += (event.type, event.data.backend, event.data.role)
            assert seen.setdefault(place, keys) == keys


def test_a_fresh_state_is_its_own_and_owes_no_timer(processor, events):
    keys = {key for event in events for key in processor.keys(event)}
    assert keys, "the stream touches no series of this processor"
    for key in keys:
        first, second = processor.open(key), processor.open(key)
        assert first is not second
        assert first == second
        assert processor.next_timer(first, WATCHING) is None
        assert not _containers(first) & _containers(second)


def test_states_through_bytes_after_each_step_go_the_same_way(processor, events):
    direct = play(processor, events)
    stored = play(PROCESSORS[processor.name](), events, through_bytes=True)
    assert direct.keys() == stored.keys()
    for address, series in direct.items():
        assert series.steps == stored[address].steps


def test_states_hold_no_aliases_and_events_stay_as_they_came(processor, events):
    before = [encode(event) for event in events]
    for series in play(processor, events).values():
        _containers(series.state)
    assert [encode(event) for event in events] == before


def test_next_timer_changes_nothing(processor, events):
    for series in play(processor, events).values():
        before = msgspec.msgpack.encode(series.state)
        assert processor.next_timer(series.state, WATCHING) == processor.next_timer(series.state, WATCHING)
        processor.next_timer(series.state, NOTHING)
        assert msgspec.msgpack.encode(series.state) == before


def test_without_new_events_the_timers_run_dry(processor, events):
    for series in play(processor, events).values():
        assert series.timers(START + 400 * DAY, WATCHING) is None


def test_when_the_rules_are_gone_every_finding_closes_by_timer(processor, events):
    if not getattr(processor, "bundled", True):
        assert not any(series.open for series in play(processor, events).values())
        return
    opened = 0
    for series in play(processor, events[:440]).values():
        series.timers(events[440].ingestedtime, WATCHING)
        opened += len(series.open)
        series.timers(START + 400 * DAY, NOTHING, floor=events[440].ingestedtime)
        assert not series.open
    assert opened, "nothing was open when the rules went"


def test_a_newer_state_is_refused(processor):
    with pytest.raises(StateTooNewError):
        processor.migrate(b"\x80", processor.version + 1)


def _containers(value):
    """Return the ids of all mutable containers in a state; fails where one stands at two places."""
    found = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, msgspec.Struct):
            inside = [getattr(part, name) for name in part.__struct_fields__]
            mutable = not part.__struct_config__.frozen
        elif isinstance(part, dict):
            inside, mutable = list(part.values()), True
        elif isinstance(part, list | tuple):
            inside, mutable = list(part), isinstance(part, list)
        else:
            continue
        if mutable:
            assert id(part) not in found, f"one {type(part).__name__} at two places of a state"
            found.add(id(part))
        waiting += inside
    return found


def test_all_processors_in_a_runner_that_ends_at_random_find_what_one_replay_finds(events):
    clock = ManualClock(START)
    log = MemoryLog(1, clock)
    log.append([config_event(WATCHING, "qml://daemon/c/0", effective=0, time=START)])
    for event in events:
        log.append([event])
    clock.now = events[-1].ingestedtime + HOUR
    log.append([tick_event("qml://daemon/t/0", 1, clock.now)])
    rng = random.Random(7)
    while True:
        runner = Runner(log, load_processors(), RunnerConfig(checkpoint_rows=2, unclean_ends=10**6))
        runner.open(0)
        if not sum(runner.process_batch(rng.randrange(1, 40)) for _ in range(rng.randrange(1, 6))):
            break
    expected = replay(log, load_processors())
    assert expected.counts[0].processor_errors == {}
    for stream, derived in ((Stream.FINDINGS, expected.findings), (Stream.SUMMARIES, expected.summaries)):
        seen = [replace(record.event, ingestedtime=None) for record in log.read(stream, 0, 0, 10**6)]
        assert seen == derived
        assert seen
    assert runner.states() == expected.states
    assert {"CircuitDrift", "HighLoss/above", "LowAccuracy/below"} <= {e.data.rule for e in expected.findings}
