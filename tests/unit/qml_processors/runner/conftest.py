"""Toy processors that do everything a processor may do, and a stream of everything that may come."""

from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec.structs import replace

from qml_processors.base import Finding, Forget, Summary, dephase
from qml_processors.runner import Runner, RunnerConfig, config_event, tick_event
from quantum_mlops.clock import MINUTE, SECOND, ManualClock
from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import LogError, StateTooNewError
from quantum_mlops.events import Context, Event, MetricLogged, RunEnded, UnknownData, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.rows import Tail

START = 1_800_000_000 * SECOND
PROJECTS = ("project-0", "project-4", "project-5")  # one in each of three partitions


class Toy:
    """What the toys share: version 1, one series per run, no timers."""

    version = 1

    def keys(self, event):
        return (event.context.runid,) if event.context.runid else ()

    def open(self, key):
        return self.state()

    def next_timer(self, state, rules):
        return None

    def on_timer(self, state, due, rules):
        return ()

    def migrate(self, raw, from_version):
        raise StateTooNewError(self.name)


class CounterState(msgspec.Struct):
    seen: int = 0
    total: float = 0.0


class Counter(Toy):
    """Opens at every fifth event, updates at the next, closes at the one after; a notice at every seventh."""

    name = "counter"
    state = CounterState

    def apply(self, state, event, rules):
        state.seen += 1
        if isinstance(event.data, MetricLogged):
            state.total += event.data.values.get("x", 0.0)
        change = {0: "opened", 1: "updated", 2: "closed"}.get(state.seen % 5) if state.seen >= 5 else None
        if change:
            yield Finding(
                transition=change, rule="Fifth", labels={"seen": str(state.seen)}, values={"total": state.total}
            )
        if state.seen % 7 == 0:
            yield Finding(transition="notice", rule="Seventh")


class AbsenceState(msgspec.Struct):
    last: int | None = None
    silent: bool = False


class Absence(Toy):
    """Opens when a run sends nothing for `plugins.absence.seconds`; a disabled rule closes at once."""

    name = "absence"
    state = AbsenceState

    def apply(self, state, event, rules):
        state.last = event.ingestedtime
        if state.silent:
            state.silent = False
            return (Finding(transition="closed", rule="Silent", reason="received"),)
        return ()

    def next_timer(self, state, rules):
        rule = rules.plugins.get("absence", {})
        if not rule.get("enabled", True):
            return state.last if state.silent else None
        if state.last is None or state.silent:
            return None
        return state.last + int(rule.get("seconds", 30)) * SECOND

    def on_timer(self, state, due, rules):
        if not rules.plugins.get("absence", {}).get("enabled", True):
            state.silent = False
            return (Finding(transition="closed", rule="Silent", reason="rule removed"),)
        state.silent = True
        return (Finding(transition="opened", rule="Silent", values={"due": float(due // SECOND)}),)


class WindowState(msgspec.Struct):
    key: str
    start: int | None = None
    count: int = 0
    sum: float = 0.0


class Window(Toy):
    """Tumbling windows of ten seconds per project, dephased; closed by timer."""

    name = "window"
    state = WindowState
    bundled = False
    length = 10 * SECOND

    def keys(self, event):
        return ("project",) if isinstance(event.data, MetricLogged) else ()

    def open(self, key):
        return WindowState(key)

    def apply(self, state, event, rules):
        if state.start is None:
            phase = dephase(state.key, self.length)
            state.start = (event.ingestedtime - phase) // self.length * self.length + phase
        state.count += 1
        state.sum += event.data.values.get("x", 0.0)
        return ()

    def next_timer(self, state, rules):
        return None if state.start is None else state.start + self.length

    def on_timer(self, state, due, rules):
        start, count = state.start, state.count
        values = {"sum": state.sum}
        state.start, state.count, state.sum = None, 0, 0.0
        return (Summary(kind="window", start=start, end=start + self.length, counts={"n": count}, values=values),)


class FragileState(msgspec.Struct):
    mood: str = ""
    seen: int = 0
    due: int | None = None


class Fragile(Toy):
    """Raises wherever the event's `mood` tells it to; two series an event."""

    name = "fragile"
    state = FragileState

    def keys(self, event):
        mood = _mood(event)
        if mood == "keys":
            raise RuntimeError("keys")
        if mood == "repeat":
            return ("a", "a")
        return (f"a-{event.context.runid}", f"b-{event.context.runid}") if event.context.runid else ()

    def open(self, key):
        return FragileState()

    def apply(self, state, event, rules):
        state.seen += 1
        state.mood = _mood(event)
        state.due = event.ingestedtime + 7 * SECOND if state.mood in {"timer", "stuck", "fine-timer"} else None
        if state.seen == 1:
            yield Finding(transition="opened", rule="Seen")
        if state.mood == "apply":
            raise RuntimeError("apply")
        if state.mood == "nan":
            yield Finding(transition="notice", rule="NaN", values={"x": float("nan")})
        if state.mood == "twice":
            yield Finding(transition="opened", rule="Seen")
        if state.mood == "forget":
            yield Forget()

    def next_timer(self, state, rules):
        if state.mood == "next" or (state.mood == "switch" and rules.plugins):
            raise RuntimeError("next")
        return state.due

    def on_timer(self, state, due, rules):
        if state.mood == "timer":
            raise RuntimeError("on_timer")
        if state.mood == "fine-timer":
            state.due = None
            yield Finding(transition="notice", rule="Timer")


def _mood(event):
    return next(iter(event.data.nonfinite), "") if isinstance(event.data, MetricLogged) else ""


class MemoryState(msgspec.Struct):
    events: list[str] = msgspec.field(default_factory=list)


class Memory(Toy):
    """Keeps the ids it saw; at the fourth event or the run's end says so and forgets."""

    name = "memory"
    state = MemoryState

    def apply(self, state, event, rules):
        state.events.append(event.id)
        if isinstance(event.data, RunEnded) or len(state.events) == 4:
            yield Summary(kind="run", start=0, end=event.ingestedtime, counts={"events": len(state.events)})
            yield Forget()


MOODS = (
    "",
    "",
    "",
    "",
    "apply",
    "next",
    "timer",
    "stuck",
    "fine-timer",
    "nan",
    "twice",
    "forget",
    "keys",
    "repeat",
    "switch",
)


@dataclass
class Op:
    """One thing that happens: `kind` after `wait` seconds; the numbers choose who and what."""

    kind: str
    wait: float = 0.0
    project: int = 0
    source: int = 0
    run: int = 0
    pick: int = 0


@dataclass
class Story:
    """Plays operations into a log. The same operations give the same events in any layout."""

    log: MemoryLog
    clock: ManualClock
    sent: list[Event] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    configs: int = 0

    def play(self, ops):
        for op in ops:
            self.clock.advance_seconds(op.wait)
            getattr(self, f"_{op.kind}")(op)

    def emit(self, op, data, kind, *, foreign=False, lag=0.0, source=None):
        project = PROJECTS[op.project]
        source = source or (f"https://other/{op.source}" if foreign else f"qml://host/n{op.project}/{op.source}")
        count = self.counters[source] = self.counters.get(source, 0) + 1
        event = Event(
            id=f"x{count}" if foreign else f"{count:016x}",
            source=source,
            type=kind if "." in kind and kind.startswith("com") else type_name(kind),
            time=self.clock() - round(lag * SECOND),
            partitionkey=project,
            project=project,
            context=Context(runid=f"run-{op.run}"),
            data=data,
        )
        self.sent.append(event)
        self.log.append([event])
        return event

    def _metric(self, op):
        mood = MOODS[op.pick % len(MOODS)]
        data = MetricLogged(values={"x": 0.1 * op.pick}, nonfinite={mood: "nan"} if mood else {})
        self.emit(op, data, "metric.logged")

    def _late(self, op):
        self.emit(op, MetricLogged(values={"x": 1.0}), "metric.logged", lag=600.0)

    def _foreign(self, op):
        self.emit(op, MetricLogged(values={"x": 2.0}), "metric.logged", foreign=True)

    def _hole(self, op):
        source = f"qml://host/n{op.project}/{op.source}"
        self.counters[source] = self.counters.get(source, 0) + 2
        self._metric(op)

    def _ended(self, op):
        self.emit(op, RunEnded(status="completed", duration_seconds=1.0), "run.ended")

    def _unknown(self, op):
        self.emit(op, UnknownData(msgspec.Raw(b'{"a":1}')), "com.example.other")

    def _again(self, op):
        if self.sent:
            self.log.append([self.sent[-1 - op.pick % len(self.sent)]])

    def _tick(self, op):
        self.tick(self.clock())

    def _jump(self, op):
        self.tick(self.clock() - 2 * MINUTE)

    def tick(self, time):
        event = tick_event("qml://daemon/t/0", len(self.sent), time)
        for partition in range(self.log.partitions):
            self.log.append([event], partition=partition)

    def _config(self, op):
        self.configs += 1
        choices = ({}, {"absence": {"seconds": 5.0}}, {"absence": {"enabled": False}}, {"absence": {"seconds": 45.0}})
        self.config(Rules(plugins=choices[op.pick % 4]), self.clock() + (1 + op.pick % 3 * 10) * SECOND)

    def config(self, rules, effective):
        event = config_event(rules, "qml://daemon/c/0", effective=effective, time=self.clock())
        event = replace(event, id=f"{self.configs:04d}")
        for partition in range(self.log.partitions):
            self.log.append([event], partition=partition)
        return event

    def _junk(self, op):
        partition = self.log.partition_of(PROJECTS[op.project])
        place = (Stream.EVENTS, partition)
        tail = self.log._tails[place]
        time = max(tail.last, self.clock())
        self.log._rows[place].append((tail.end, time, False, b"no event"))
        self.log._tails[place] = Tail(tail.end + 1, time)


class Crash(BaseException):
    """The process ended here."""


class FaultyLog:
    """A log that ends the process (`Crash`), or fails (`LogError`), before or after the n-th commit.

    With `trim` retention follows at once: events below the replay start are gone.
    """

    def __init__(self, log, *, trim=False):
        self.log = log
        self.trim = trim
        self.faults = []
        self.commits = 0

    def commit(self, partition, commit):
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before":
            raise Crash
        if fault == "error":
            raise LogError("disk full")
        self.log.commit(partition, commit)
        self.commits += 1
        if self.trim:
            rows = self.log._rows[Stream.EVENTS, partition]
            rows[:] = [row for row in rows if row[0] >= commit.replay_start]
        if fault == "after":
            raise Crash

    def __getattr__(self, name):
        return getattr(self.log, name)


class Bench:
    """What the tests stand on: toys, a clock, logs, runners that pace themselves by counting."""

    Crash = Crash
    LogError = LogError
    MetricLogged = MetricLogged
    Rules = Rules
    Finding = Finding
    FaultyLog = FaultyLog
    Op = Op
    START = START
    Toy = Toy
    Counter = Counter
    Absence = Absence
    Window = Window
    Fragile = Fragile
    Memory = Memory

    def toys(self):
        return [Counter(), Absence(), Window(), Fragile(), Memory()]

    def story(self, partitions=1):
        clock = ManualClock(START)
        return Story(MemoryLog(partitions, clock), clock)

    def runner(self, log, processors=None, **config):
        time = iter(range(0, 2**62, SECOND // 10))
        settings = {"checkpoint_rows": 1, "checkpoint_seconds": 0.3, "unclean_ends": 10**6, "clock": lambda: next(time)}
        runner = Runner(log, self.toys() if processors is None else processors, RunnerConfig(**(settings | config)))
        for partition in range(log.partitions):
            runner.open(partition)
        return runner

    def drain(self, runner, limit=500):
        while runner.process_batch(limit):
            pass

    def read(self, log, stream):
        """Return the events of a stream, without the log's times."""
        return [
            replace(record.event, ingestedtime=None)
            for partition in range(log.partitions)
            for record in log.read(Stream(stream), partition, 0, 10**6)
        ]


@pytest.fixture(scope="session")
def bench():
    return Bench()
