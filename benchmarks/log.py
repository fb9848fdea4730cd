"""Speed of the log and of the intake on this machine, in CPU time of one process.

Run alone: python benchmarks/log.py
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import system_clock
from quantum_mlops.events import Context, Event, Job, MetricLogged, type_name
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

EVENTS = 60_000
BATCH = 1000
REPEATS = 3


def make_events(count: int) -> list[Event]:
    """Return mixed events of about 330 bytes: metrics and jobs of one run."""
    context = Context(runid="vqc-1", step=17)
    start = time.time_ns()
    events = []
    for number in range(count):
        data = (
            Job(job_id=f"job-{number}", backend="ibm_hanoi", shots_requested=1024, submit_seconds=0.031)
            if number % 10 == 0
            else MetricLogged(values={"loss": 0.7 / (number + 1), "accuracy": 0.91}, phase="train")
        )
        name = type_name("job.completed" if number % 10 == 0 else "metric.logged")
        events.append(
            Event(
                id=f"{number:016x}", source="qml://host/0123456789ab/0", type=name, time=start + number,
                partitionkey="iris", project="iris", context=context, data=data,
            )
        )  # fmt: skip
    return events


def batches(events: list[Event]) -> Iterator[list[Event]]:
    """Yield `events` in batches."""
    for at in range(0, len(events), BATCH):
        yield events[at : at + BATCH]


def least(action: Callable[[Path], float]) -> float:
    """Return the least of a few repeats; other processes on the machine only ever add to it."""
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            found.append(action(Path(folder)))
    return min(found)


def append_seconds(folder: Path) -> float:
    """Append all events in batches."""
    events = make_events(EVENTS)
    log = SqliteLog(folder / "log.sqlite")
    start = time.process_time()
    for batch in batches(events):
        log.append(batch)
    taken = time.process_time() - start
    log.close()
    return taken


def read_seconds(folder: Path) -> float:
    """Read all events in batches."""
    log = SqliteLog(folder / "log.sqlite")
    log.append(make_events(EVENTS))
    start, offset = time.process_time(), 0
    while records := log.read(Stream.EVENTS, 0, offset, BATCH):
        offset = records[-1].offset + 1
    taken = time.process_time() - start
    log.close()
    return taken


def intake_seconds(folder: Path) -> float:
    """Bring a full spool onto the log."""
    writer = SpoolWriter(folder / "spool", this_process("0123456789ab", "bench"))
    for batch in batches(make_events(EVENTS)):
        records = [
            SpoolRecord(
                0, int(event.id, 16), event.type, event.time, event.partitionkey, event.project, event.context,
                msgspec.Raw(msgspec.msgpack.encode(event.data)),
            )
            for event in batch
        ]  # fmt: skip
        writer.write(SpoolClass.BULK, [msgspec.msgpack.encode(record) for record in records], time.time_ns())
    writer.close()
    log = SqliteLog(folder / "log.sqlite")
    intake = Intake(log, folder / "spool", system_clock, this_host())
    start, count = time.process_time(), 0
    while count < EVENTS:
        count += intake.poll(BATCH)
    taken = time.process_time() - start
    intake.close()
    log.close()
    return taken


def commit_milliseconds(folder: Path, size: int = 1, count: int = 1000) -> float:
    """Return the 99th percentile of the wall time of appending `size` events, checkpoints included."""
    events = make_events(size)
    log = SqliteLog(folder / "log.sqlite")
    times = []
    for _ in range(count):
        start = time.perf_counter()
        log.append(events)
        times.append(time.perf_counter() - start)
    log.close()
    return sorted(times)[int(0.99 * count) - 1] * 1e3


def batch_milliseconds(folder: Path) -> float:
    """Return the same for batches of 500."""
    return commit_milliseconds(folder, 500, 300)


def rows() -> list[dict[str, object]]:
    """Return the figures as rows of the table of `make bench`."""
    found = [
        ("log: append, CPU per event, batches of 1,000", least(append_seconds) / EVENTS * 1e6, "µs", 6.0),
        ("log: read, CPU per event, batches of 1,000", least(read_seconds) / EVENTS * 1e6, "µs", None),
        ("log: append of a single event, wall p99", least(commit_milliseconds), "ms", None),
        ("log: append of 500 events, wall p99", least(batch_milliseconds), "ms", None),
        ("intake: spool to log, CPU per event", least(intake_seconds) / EVENTS * 1e6, "µs", 10.0),
    ]
    return [
        {"name": name, "value": round(value, 3), "unit": unit, "bar": bar, "holds": bar is None or value <= bar}
        for name, value, unit, bar in found
    ]


if __name__ == "__main__":
    for row in rows():
        print(f"{row['name']:<50} {row['value']:>10} {row['unit']:<4} bar {row['bar']}  holds {row['holds']}")
