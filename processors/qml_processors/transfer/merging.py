"""The records of a source in one order: by effective ingested time, as its partitions' clocks had it."""

import heapq
from collections.abc import Iterator

from qml_processors.transfer.plan import Plan, Source
from quantum_mlops.transports.base import Record, Stream

_CHUNK = 500
Merged = tuple[int, int, Record]
"""(effective ingested time, partition, record)."""


def merge(source: Source, stream: Stream, plan: Plan) -> Iterator[Merged]:
    """Yield the records of a stream that belong to the plan; the same ones in the same order each time.

    Raises:
        LogError: the source fails.

    """
    parts = [_read(source, stream, number, plan) for number in range(plan.partitions)]
    return heapq.merge(*parts, key=_order)


def _order(merged: Merged) -> tuple[int, int, int]:
    return merged[0], merged[1], merged[2].offset


def _read(source: Source, stream: Stream, partition: int, plan: Plan) -> Iterator[Merged]:
    offset, end = plan.starts[stream][partition], plan.ends[stream][partition]
    now = 0
    while offset < end and (records := source.read(stream, partition, offset, _CHUNK)):
        for record in records:
            if record.offset >= end:
                return
            now = max(now, record.ingestedtime)
            yield now, partition, record
        offset = records[-1].offset + 1
