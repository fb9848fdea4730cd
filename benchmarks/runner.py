# ruff: noqa: D101, D102, ARG002 - four small processors whose methods are the protocol's
"""How fast the runner is from the log on: records read, steps taken, outputs and checkpoint committed.

Run alone: `python benchmarks/runner.py`. Four processors that count, average, watch for silence and
close windows stand for real ones; events are read as JSON from a log in memory, on one core.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Iterable, Sequence

from msgspec import Struct

from qml_processors.base import Finding, Output, Summary, dephase
from qml_processors.runner import Runner, RunnerConfig
from qml_processors.runner.collector import settle
from quantum_mlops.clock import MINUTE, SECOND, ManualClock
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.transports.memory import MemoryLog

START = 1_800_000_000 * SECOND
BATCH = 500
SERIES = (10, 1_000, 10_000, 100_000)
BARS = {1_000: 40_000, 10_000: 25_000}
"""Those of the whole embedded path, of which this is a part."""


class CountState(Struct):
    count: int = 0
    mean: float = 0.0
    last: int | None = None
    start: int | None = None


class Counting:
    """One series per run; what the four kinds share."""

    name = "a_count"
    version = 1
    state = CountState
    bundled = False

    def keys(self, event: Event) -> Sequence[str]:
        return (event.context.runid,) if event.data.__class__ is MetricLogged and event.context.runid else ()

    def open(self, key: str) -> CountState:
        return CountState()

    def apply(self, state: CountState, event: Event, rules: Rules) -> Iterable[Output]:
        state.count += 1
        return ()

    def next_timer(self, state: CountState, rules: Rules) -> int | None:
        return None

    def on_timer(self, state: CountState, due: int, rules: Rules) -> Iterable[Output]:
        return ()

    def migrate(self, raw: bytes, from_version: int) -> CountState:
        raise NotImplementedError


class Averaging(Counting):
    name = "b_average"
    bundled = True

    def apply(self, state: CountState, event: Event, rules: Rules) -> Iterable[Output]:
        state.count += 1
        state.mean += (event.data.values["loss"] - state.mean) / state.count
        if state.count % 1000 == 0:
            return (Finding(transition="notice", rule="Thousand", values={"mean": state.mean}),)
        return ()


class Silence(Counting):
    name = "c_silence"
    bundled = True

    def apply(self, state: CountState, event: Event, rules: Rules) -> Iterable[Output]:
        silent = state.start is not None
        state.last, state.start = event.ingestedtime, None
        return (Finding(transition="closed", rule="Silent"),) if silent else ()

    def next_timer(self, state: CountState, rules: Rules) -> int | None:
        return None if state.last is None or state.start is not None else state.last + MINUTE

    def on_timer(self, state: CountState, due: int, rules: Rules) -> Iterable[Output]:
        state.start = due
        return (Finding(transition="opened", rule="Silent"),)


class Windowing(Counting):
    name = "d_window"

    def open(self, key: str) -> CountState:
        return CountState(last=dephase(key, MINUTE))

    def apply(self, state: CountState, event: Event, rules: Rules) -> Iterable[Output]:
        if state.start is None:
            state.start = (event.ingestedtime - state.last) // MINUTE * MINUTE + state.last
        state.count += 1
        return ()

    def next_timer(self, state: CountState, rules: Rules) -> int | None:
        return None if state.start is None else state.start + MINUTE

    def on_timer(self, state: CountState, due: int, rules: Rules) -> Iterable[Output]:
        start, count = state.start or 0, state.count
        state.start, state.count = None, 0
        return (Summary(kind="window", start=start, end=start + MINUTE, counts={"events": count}),)


def processors() -> list[Counting]:
    return [Counting(), Averaging(), Silence(), Windowing()]


def fill(log: MemoryLog, clock: ManualClock, series: int, count: int, first: int = 0) -> None:
    """Append `count` metric events of `series` runs in ten projects, 40,000 a second of the log's clock."""
    for base in range(first, first + count, 1000):
        clock.advance_seconds(1000 / 40_000)
        log.append([_event(number, series, clock()) for number in range(base, base + 1000)])


def _event(number: int, series: int, now: int) -> Event:
    run = (number * 7919) % series
    project = f"project-{run % 10}"
    return Event(
        id=f"{number // 10:016x}",
        source=f"qml://trainer.example.org/0a1b2c3d4e5f/{number % 10}",
        type=type_name("metric.logged"),
        time=now,
        partitionkey=project,
        project=project,
        context=Context(runid=f"run-{run:06d}", step=number % 1000),
        data=MetricLogged(values={"loss": 0.5, "accuracy": 0.9}, phase="train"),
    )


def measure(series: int) -> dict[str, float]:
    """Return events per CPU second, the batch's p99 and the recovery, for one number of series."""
    clock = ManualClock(START)
    log = MemoryLog(1, clock)
    warm = max(20_000, 2 * series) // 1000 * 1000
    measured = 100_000
    runner = Runner(log, processors(), RunnerConfig())
    runner.open(0)
    fill(log, clock, series, warm)
    while runner.process_batch(BATCH):
        pass
    settle()
    fill(log, clock, series, measured, warm)
    batches = []
    started = time.process_time()
    while True:
        before = time.perf_counter()
        if not runner.process_batch(BATCH):
            break
        batches.append(time.perf_counter() - before)
    rate = measured / (time.process_time() - started)
    again = Runner(log, processors(), RunnerConfig())
    before = time.perf_counter()
    again.open(0)
    recovery = time.perf_counter() - before
    if again.states() != runner.states():
        raise RuntimeError("the recovered states differ")
    return {
        "rate": rate,
        "p99": statistics.quantiles(batches, n=100)[98] * 1000,
        "median": statistics.median(batches) * 1000,
        "recovery": recovery,
    }


def rows() -> list[dict]:
    """Return the measured rows for the table of `make bench`."""
    found = []
    for series in SERIES:
        result = measure(series)
        least = BARS.get(series)
        for name, unit, value, bar, holds in (
            ("events", "1/s", round(result["rate"]), least and f"≥ {least}", result["rate"] >= (least or 0)),
            ("batch p99", "ms", round(result["p99"], 1), "≤ 50", result["p99"] <= 50),
            ("recovery", "s", round(result["recovery"], 2), "≤ 5", result["recovery"] <= 5),
        ):
            title = f"runner from the log on, {series} series: {name}"
            found.append({"name": title, "value": value, "unit": unit, "bar": bar, "holds": holds})
    return found


if __name__ == "__main__":
    sys.stdout.write(f"Python {platform.python_version()}, {platform.machine()}\n")
    for row in rows():
        sys.stdout.write(json.dumps(row) + "\n")
