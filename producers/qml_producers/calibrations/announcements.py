"""Only changes are told: the same values, however often they are read, are one observation.

A snapshot of a large device does not fit into one event; its parts are numbered and share the id of the whole.
"""

from collections.abc import Iterator, Sequence

from quantum_mlops.calibrations import calibration_id
from quantum_mlops.codec import MAX_EVENT_BYTES, encode_data
from quantum_mlops.events import CalibrationColumn, CalibrationSnapshot

PART_BYTES = MAX_EVENT_BYTES - 16 * 1024
_WEIGHT = 384
"""Numbers of a piece: 128 rows of one or two qubits, fewer of a chain; at most 8 KiB of JSON."""


class Announcements:
    """What was told last of each backend. For one thread."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def know(self, backend: str, told: str) -> None:
        """Note that somebody told this calibration id of a backend before, as before a restart."""
        self._told[backend] = told

    def tell(
        self, backend: str, provider: str | None, columns: Sequence[CalibrationColumn], known_id: str | None = None
    ) -> Iterator[CalibrationSnapshot]:
        """Yield the events of a calibration, in parts, unless it is the last one told of this backend.

        It counts as told when the last part was taken. `known_id` saves hashing the columns again.
        """
        if not columns:
            return
        found = calibration_id(columns) if known_id is None else known_id
        if self._told.get(backend) == found:
            return
        yield from snapshots_of(backend, provider, columns, found)
        self._told[backend] = found


def snapshots_of(
    backend: str, provider: str | None, columns: Sequence[CalibrationColumn], found: str
) -> Iterator[CalibrationSnapshot]:
    """Yield the parts of a calibration whose id is `found`."""
    parts = split(columns)
    for number, part in enumerate(parts):
        yield CalibrationSnapshot(
            backend=backend, provider=provider, calibration_id=found, part=number, parts=len(parts), columns=part
        )


def split(columns: Sequence[CalibrationColumn]) -> list[list[CalibrationColumn]]:
    """Return the columns in parts of at most 48 KiB of JSON each, cut between rows."""
    parts: list[list[CalibrationColumn]] = [[]]
    size = 0
    for piece in _pieces(columns):
        piece_bytes = len(encode_data(piece))
        if size + piece_bytes > PART_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(piece)
        size += piece_bytes + 1
    return parts


def _pieces(columns: Sequence[CalibrationColumn]) -> Iterator[CalibrationColumn]:
    for column in columns:
        start = weight = 0
        for row, wires in enumerate(column.wires):
            if weight > _WEIGHT - len(wires) - 2 and row > start:
                yield _cut(column, start, row)
                start, weight = row, 0
            weight += 1 + len(wires)
        if start < len(column.wires):
            yield _cut(column, start, len(column.wires))


def _cut(column: CalibrationColumn, start: int, stop: int) -> CalibrationColumn:
    return CalibrationColumn(
        name=column.name,
        unit=column.unit,
        wires=column.wires[start:stop],
        values=column.values[start:stop],
        times=column.times[start:stop],
    )
