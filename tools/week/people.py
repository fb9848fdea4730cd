"""Five people and what they do all week, with the incidents that happen to them."""

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from quantum_mlops.events import Event, MetricLogged, Session
from week.calendar import FRIDAY, HOUR, MINUTE, SECOND, SUNDAY, THURSDAY, TUESDAY, WEDNESDAY, at
from week.devices import ARIA, HANOI, SHERBROOKE
from week.process import Process

WORKDAYS = range(5)
BROKEN_STEP = 40
KILLED_STEP = 12


def record_week() -> list[Event]:
    """Return all events of the team, by the emitters' time."""
    recording: list[Event] = []
    numbers = iter(range(1, 10_000))
    for scene in (alice, bob, carol, dave, erin):
        scene(recording, numbers)
    return number_events(sorted(recording, key=lambda event: event.time))


def number_events(recording: list[Event]) -> list[Event]:
    """Give each event the next number of its source: the SDK counts when an event happens."""
    counters: dict[str, int] = {}
    numbered: list[Event] = []
    for event in recording:
        counters[event.source] = counters.get(event.source, -1) + 1
        numbered.append(replace(event, id=f"{counters[event.source]:016x}"))
    return numbered


def alice(recording: list[Event], numbers: Iterator[int]) -> None:
    """Trains a classifier on hanoi twice each workday, with a canary every ten steps."""
    for day in WORKDAYS:
        for turn, hour in enumerate((9, 14)):
            number = next(numbers)
            run = Process(recording, "alice", number, "iris", f"vqc-{day}{turn}")
            time = begun = at(day, hour, int(run.random.integers(0, 20)))
            run.begin(time, f"vqc {day + 1}.{turn + 1}")
            for step in range(60):
                if step % 10 == 0:
                    time = run.canary(time, HANOI, step)
                time, worked = run.job(time, HANOI, 1024, step)
                if worked:
                    loss = 0.35 + 0.6 * np.exp(-step / 15) + 0.04 * run.random.normal()
                    accuracy = 0.93 - 0.5 * np.exp(-step / 12) + 0.01 * run.random.normal()
                    values = {"loss": float(loss), "val_accuracy": float(accuracy)}
                    run.emit(time, "metric.logged", MetricLogged(values=values, phase="train"), step)
                time += 5 * SECOND
            run.end(time, (time - begun) / SECOND)


def bob(recording: list[Event], numbers: Iterator[int]) -> None:
    """Optimises on sherbrooke each workday; a loop runs away on Tuesday night, a loss becomes NaN on Friday."""
    for day in WORKDAYS:
        number = next(numbers)
        run = Process(recording, "bob", number, "iris", f"qaoa-{day}")
        time = begun = at(day, 13, int(run.random.integers(0, 20)))
        run.begin(time, f"qaoa {day + 1}")
        for step in range(80):
            time, worked = run.job(time, SHERBROOKE, 2048, step)
            if worked and day == FRIDAY and step == BROKEN_STEP:
                run.emit(time, "metric.logged", MetricLogged(nonfinite={"loss": "nan"}, phase="train"), step)
                break
            if worked:
                loss = -2.1 + 1.5 * np.exp(-step / 20) + 0.05 * run.random.normal()
                run.emit(time, "metric.logged", MetricLogged(values={"loss": float(loss)}, phase="train"), step)
            time += 20 * SECOND
        run.end(time, (time - begun) / SECOND, "failed" if day == FRIDAY else "completed")
    run = Process(recording, "bob", next(numbers), "iris", "qaoa-night")
    time = begun = at(TUESDAY, 22)
    run.begin(time, "qaoa night")
    last = time
    while time < at(WEDNESDAY, 1):
        last = max(last, run.job(time, SHERBROOKE, 8192)[0])
        time += 8 * SECOND
    run.end(last, (last - begun) / SECOND, "cancelled")


def carol(recording: list[Event], numbers: Iterator[int]) -> None:
    """Measures energies on aria, whose price rises on Thursday; on Wednesday evening one job is stuck until Friday."""
    for day in WORKDAYS:
        run = Process(recording, "carol", next(numbers), "h2", f"vqe-{day}")
        time = begun = at(day, 8, int(run.random.integers(0, 20)))
        run.begin(time, f"vqe {day + 1}")
        for step in range(40):
            time, worked = run.job(time, ARIA, 1000, step)
            if worked:
                energy = -1.13 + 0.4 * np.exp(-step / 8) + 0.01 * run.random.normal()
                run.emit(time, "metric.logged", MetricLogged(values={"energy": float(energy)}, phase="train"), step)
            time += 10 * SECOND
        run.end(time, (time - begun) / SECOND)
    run = Process(recording, "carol", next(numbers), "h2", "vqe-evening")
    begun = at(WEDNESDAY, 18)
    run.begin(begun, "vqe evening")
    done, _ = run.job(begun, ARIA, 1000, stuck_until=at(FRIDAY, 7))
    run.end(done, (done - begun) / SECOND)


def dave(recording: list[Event], numbers: Iterator[int]) -> None:
    """Serves a model on hanoi day and night: every 15 minutes a batch and a canary."""
    run = Process(recording, "dave", next(numbers), "iris", "serve")
    time = at(0, 0, 5)
    run.begin(time, "serve")
    while time < at(SUNDAY, 23, 59):
        begun = time
        time = run.canary(time, HANOI)
        time, worked = run.job(time, HANOI, 1024)
        if worked:
            is_dead = at(WEDNESDAY, 10, 20) <= time < at(THURSDAY, 4)
            accuracy = (0.61 if is_dead else 0.91) + 0.01 * run.random.normal()
            values = {"accuracy": float(accuracy)}
            run.emit(time, "metric.logged", MetricLogged(values=values, phase="serve"))
        time = max(time, begun + 15 * MINUTE)
        run.beat(time)


def erin(recording: list[Event], numbers: Iterator[int]) -> None:
    """Benchmarks hanoi in sessions; a process is killed on Tuesday, a session stays open on Friday."""
    for day in WORKDAYS:
        run = Process(recording, "erin", next(numbers), "h2", f"bench-{day}")
        session = f"session-{day}"
        time = begun = at(day, 11, int(run.random.integers(0, 15)))
        run.begin(time, f"bench {day + 1}")
        run.emit(time, "session.opened", Session(session_id=session, provider="ibm", backend="ibm_hanoi"))
        for step in range(20):
            time, _ = run.job(time, HANOI, 4096, step, session=session, queue_seconds=1.0)
            time += 30 * SECOND
            if day == TUESDAY and step == KILLED_STEP:
                break
        if day == TUESDAY:
            continue  # killed: no end of the run, nor of the session
        if day == FRIDAY:
            for minutes in range(5, 181, 5):
                wall = float((time - begun) / SECOND + 60 * minutes)
                idle = Session(
                    session_id=session, provider="ibm", backend="ibm_hanoi", wall_seconds=wall,
                    idle_seconds=60.0 * minutes,
                )  # fmt: skip
                run.emit(time + minutes * MINUTE, "session.idle", idle)
            time += 3 * HOUR + MINUTE
        wall = (time - begun) / SECOND
        closed = Session(session_id=session, provider="ibm", backend="ibm_hanoi", wall_seconds=wall)
        run.emit(time, "session.closed", closed)
        run.end(time, wall)
