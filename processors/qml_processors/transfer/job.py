"""What the steps of one transfer share."""

from collections.abc import Callable

from msgspec import Struct, field

from qml_processors.runner import watermark
from qml_processors.runner.position import EVENT
from qml_processors.transfer.plan import Plan, Source
from qml_processors.transfer.states import Gathered
from quantum_mlops.transports.base import Log, Stream

EVERYWHERE = "*"
Tell = Callable[[str, int, int], None]
"""Told (what, done, total) as it goes on."""
_CHUNK = 500


class Job(Struct, kw_only=True):
    """One transfer. `ends` are the ends of the target's events, known when they are there."""

    source: Source
    target: Log
    plan: Plan
    gathered: Gathered
    tell: Tell
    ends: list[int] = field(default_factory=list)

    def mark(self, partition: int) -> bytes:
        """Return the watermark of a partition of the target: at the end of its events, at the instant of all states."""
        now, end = self.gathered.now, self.ends[partition]
        return watermark.encode(watermark.Watermark((end - 1, now, EVENT, ()), now, now, end, now, [], []))

    def written(self, stream: Stream) -> list[int]:
        """Return how many records each partition of the target holds; offsets may have holes, so they are read."""
        return [count_records(self.target, stream, number) for number in range(self.target.partitions)]


def count_records(log: Log, stream: Stream, partition: int) -> int:
    """Return how many records a partition holds."""
    offset, end, count = log.start(stream, partition), log.end(stream, partition), 0
    while offset < end and (records := log.read(stream, partition, offset, _CHUNK)):
        count += len(records)
        offset = records[-1].offset + 1
    return count
