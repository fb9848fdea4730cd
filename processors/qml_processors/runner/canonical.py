"""All states as bytes that depend on the events alone, to compare runs, layouts and replays."""

from collections.abc import Iterable

import msgspec

from qml_processors.runner.partition import OWN, Partition
from qml_processors.runner.series import Series

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def encode_states(partitions: Iterable[Partition]) -> bytes:
    """Return every series with its state and all that decides its next output, sorted.

    The runner's own series are left out: they belong to a partition, not to a project.
    """
    rows = [
        _row(series)
        for partition in partitions
        for slot in partition.slots.values()
        if slot.name not in OWN
        for series in slot.series.values()
        if not series.gone
    ]
    return _encode(sorted(rows))


def _row(series: Series) -> tuple[object, ...]:
    return (
        *series.address,
        b"" if series.state is None else series.slot.encode(series.state),
        series.last,
        series.source,
        series.id,
        series.openings,
        series.late,
        series.errors,
        series.error_last,
        -1 if series.due is None else series.due,
        msgspec.msgpack.encode(series.open),
    )
