"""Which calibration was in force when a job executed, if it changed between the job's submission and its end.

A value was in force from when it was measured until the same value was measured anew, as far as two looks at the device
can tell: what changed twice in between is not seen. Where the provider does not say when the job executed, or does not
date a value that changed, it was one of the two.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from quantum_mlops.calibrations import Edge, calibration_id, restrict
from quantum_mlops.events import CalibrationColumn, Footprint

_Place = tuple[str, tuple[int, ...]]


class Executed(NamedTuple):
    """When a job executed, by the provider's clock: Unix seconds."""

    started: float
    ended: float


class _Value(NamedTuple):
    value: float | None
    time: float | None


def footprint_in_force(
    before: Sequence[CalibrationColumn],
    after: Sequence[CalibrationColumn],
    qubits: Sequence[int],
    edges: Collection[Edge],
    executed: Executed | None,
) -> Footprint:
    """Return the footprint with the id of the values in force at execution, or with both bounds.

    `before` are the values at submission, `after` those at the end. Each value is decided by its own date: those that
    were measured anew before the job started are in force, those measured after it ended are not yet. So the id may be
    one that neither look had. One that changed while the job ran leaves both bounds.
    """
    old, new = restrict(before, qubits, edges), restrict(after, qubits, edges)
    first, last = calibration_id(old), calibration_id(new)
    used = list(qubits), sorted(edges)
    if first == last:
        return Footprint(qubits=used[0], edges=used[1], calibration_id=first)
    mixed = None if executed is None else _mix(_values(old), _values(new), executed)
    if mixed is None:
        return Footprint(qubits=used[0], edges=used[1], calibration_id=first, calibration_id_after=last)
    return Footprint(qubits=used[0], edges=used[1], calibration_id=calibration_id(mixed))


def _mix(old: dict[_Place, _Value], new: dict[_Place, _Value], executed: Executed) -> list[CalibrationColumn] | None:
    """Return the values in force, or None where one of those that changed cannot be placed."""
    found: dict[_Place, _Value] = {}
    for place in old.keys() | new.keys():
        before, after = old.get(place), new.get(place)
        if before is None or after is None:  # a value appeared or went, and nobody says when
            return None
        if before.value == after.value:
            found[place] = after
        elif after.time is None or executed.started < after.time <= executed.ended:
            return None
        else:
            found[place] = after if after.time <= executed.started else before
    return [
        CalibrationColumn(name=name, wires=[list(wires)], values=[value.value], times=[value.time])
        for (name, wires), value in found.items()
    ]


def _values(columns: Sequence[CalibrationColumn]) -> dict[_Place, _Value]:
    return {
        (column.name, tuple(wires)): _Value(value, time)
        for column in columns
        for wires, value, time in zip(column.wires, column.values, column.times, strict=True)
    }
