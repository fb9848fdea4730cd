"""Replay: run processors over a log from its start, and write and send nothing.

The same steps as the runner's, without commits: what it returns is what one uninterrupted run derives.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from qml_processors.base import Processor
from qml_processors.runner import canonical
from qml_processors.runner.clock_jump import ClockJumpProcessor
from qml_processors.runner.counts import Counts
from qml_processors.runner.partition import Partition
from qml_processors.runner.series import Slot
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter, Record, Stream

_CHUNK = 500


class ReadableLog(Protocol):
    """What a replay needs of a log; a reader of another process's file has it too."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...


class Replayed(Struct, frozen=True, kw_only=True):
    """What a replay derived, per partition in order, the canonical bytes of all states, and counts."""

    findings: list[Event]
    summaries: list[Event]
    dead_letters: list[DeadLetter]
    states: bytes
    counts: list[Counts]


def replay(log: ReadableLog, processors: Sequence[Processor[Any]]) -> Replayed:
    """Replay every partition of `log` from the oldest record it holds.

    Where retention has removed the beginning, findings that depend on it differ.

    Raises:
        LogError: the log fails.

    """
    ordered = sorted([*processors, ClockJumpProcessor()], key=lambda processor: processor.name)
    partitions = [Partition(number, [Slot(processor) for processor in ordered]) for number in range(log.partitions)]
    replayed = Replayed(findings=[], summaries=[], dead_letters=[], states=b"", counts=[])
    for partition in partitions:
        _run(log, partition, replayed)
    return Replayed(
        findings=replayed.findings,
        summaries=replayed.summaries,
        dead_letters=replayed.dead_letters,
        states=canonical.encode_states(partitions),
        counts=[partition.counts for partition in partitions],
    )


def _run(log: ReadableLog, partition: Partition, replayed: Replayed) -> None:
    offset = log.start(Stream.EVENTS, partition.number)
    while records := log.read(Stream.EVENTS, partition.number, offset, _CHUNK):
        partition.process(records, 2**62)
        partition.dirty.clear()
        partition.schedule.unsaved.clear()
        outputs = partition.outputs
        replayed.findings.extend(outputs.findings)
        replayed.summaries.extend(outputs.summaries)
        replayed.dead_letters.extend(outputs.dead_letters)
        outputs.clear()
        offset = records[-1].offset + 1
