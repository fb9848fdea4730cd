"""Calibration identity: one hash for equal values, whole device or the footprint of a job.

The hash covers values, not the times at which they were measured: a provider that measures the same
again has not changed the device. Values are rounded to 12 significant digits, so that a change of
units on the way does not make a new calibration.
"""

from collections.abc import Collection, Iterable, Sequence

from quantum_mlops.codec import digest
from quantum_mlops.events import CalibrationColumn

Edge = tuple[int, int]


def calibration_id(columns: Iterable[CalibrationColumn]) -> str:
    """Return `k1:` and 16 hex digits over all values of `columns`, whatever their order.

    >>> t1 = CalibrationColumn(name="t1", unit="s", wires=[[0], [1]], values=[1e-4, None], times=[0.0, 0.0])
    >>> calibration_id([t1]) == calibration_id([t1]), calibration_id([t1])[:3]
    (True, 'k1:')
    """
    rows = sorted(
        (column.name, wires, None if value is None else f"{value:.12g}")
        for column in columns
        for wires, value in zip(column.wires, column.values, strict=True)
    )
    return "k1:" + digest(rows, 8)


def restrict(
    columns: Iterable[CalibrationColumn], qubits: Collection[int], edges: Collection[Edge]
) -> list[CalibrationColumn]:
    """Return the columns cut to `qubits` and, for two-qubit values, to `edges` in either direction.

    Values of the whole device (no wires) are kept, those of chains of more qubits are not.
    """
    wanted = set(qubits)
    pairs = {frozenset(edge) for edge in edges}
    kept = []
    for column in columns:
        rows = [index for index, wires in enumerate(column.wires) if _touches(wires, wanted, pairs)]
        if rows:
            kept.append(
                CalibrationColumn(
                    name=column.name,
                    unit=column.unit,
                    wires=[column.wires[row] for row in rows],
                    values=[column.values[row] for row in rows],
                    times=[column.times[row] for row in rows],
                )
            )
    return kept


def _touches(wires: Sequence[int], qubits: set[int], edges: set[frozenset[int]]) -> bool:
    if len(wires) == 1:
        return wires[0] in qubits
    return not wires or frozenset(wires) in edges


def footprint_id(columns: Iterable[CalibrationColumn], qubits: Collection[int], edges: Collection[Edge]) -> str:
    """Return the calibration id of the part of the device that a job used."""
    return calibration_id(restrict(columns, qubits, edges))
