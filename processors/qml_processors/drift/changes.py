"""Which calibration values of a footprint changed, ranked by what each does to one operation.

Errors (readout, gates) rank by the change of their probability. T1 and T2 rank by what they change in
the average infidelity of a qubit during the longest two-qubit gate, t / (6 T1) + t / (3 T2) to first
order (Abad et al. 2022, Physical Review Letters 129:150504). So all ranks are changes of an error per
operation. It is a ranking of what the provider published, not a claim about the cause.
"""

from collections.abc import Sequence
from typing import NamedTuple

from quantum_mlops.events import CalibrationColumn

SHOWN = 8
_TYPICAL_GATE_SECONDS = 3e-7
_PAIR = 2
_DECAY_SHARE = {"t1": 1 / 6, "t2": 1 / 3}


class Change(NamedTuple):
    """One changed value; `weight` is the change of an error per operation."""

    name: str
    wires: tuple[int, ...]
    unit: str
    before: float
    after: float
    weight: float


def rank_changes(before: Sequence[CalibrationColumn], after: Sequence[CalibrationColumn]) -> list[Change]:
    """Return the changed values, largest weight first; values that only one side has are left out."""
    old = {(column.name, tuple(wires)): value for column in before for wires, value in _rows(column)}
    gate_seconds = _longest_gate_seconds(after)
    changes = [
        Change(column.name, tuple(wires), column.unit, previous, value, weight)
        for column in after
        for wires, value in _rows(column)
        if (previous := old.get((column.name, tuple(wires)))) is not None
        and previous != value
        and (weight := _weight(column.name, previous, value, gate_seconds)) > 0
    ]
    return _without_mirrors(sorted(changes, key=lambda change: (-change.weight, change.name, change.wires)))


def describe_changes(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Return the first few changes as text; gates of one place with equal values are one row (IBM measures one)."""
    names: dict[tuple[tuple[int, ...], float, float], list[str]] = {}
    for change in changes:
        names.setdefault((change.wires, change.before, change.after), []).append(change.name)
    first = {(change.wires, change.before, change.after): change for change in reversed(changes)}
    return [_describe(first[place], ", ".join(same)) for place, same in list(names.items())[:SHOWN]]


def _describe(change: Change, names: str) -> dict[str, str]:
    return {
        "name": names,
        "qubits": "-".join(map(str, change.wires)),
        "before": _text(change.before, change.unit),
        "after": _text(change.after, change.unit),
        "change": f"{change.weight:.2g} per operation, {'worse' if _is_worse(change) else 'better'}",
    }


def _rows(column: CalibrationColumn) -> list[tuple[list[int], float]]:
    pairs = zip(column.wires, column.values, strict=True)
    return [(wires, value) for wires, value in pairs if value is not None]


def _longest_gate_seconds(columns: Sequence[CalibrationColumn]) -> float:
    lengths = [
        value
        for column in columns
        if column.name.endswith("_length") and column.unit == "s"
        for wires, value in _rows(column)
        if len(wires) == _PAIR
    ]
    return max(lengths, default=_TYPICAL_GATE_SECONDS)


def _weight(name: str, before: float, after: float, gate_seconds: float) -> float:
    share = _DECAY_SHARE.get(name)
    if share is not None:
        return share * gate_seconds * abs(1 / after - 1 / before) if before > 0 and after > 0 else 0.0
    return abs(after - before) if name.endswith("_error") else 0.0


def _is_worse(change: Change) -> bool:
    return (change.after > change.before) == change.name.endswith("_error")


def _without_mirrors(changes: Sequence[Change]) -> list[Change]:
    """Keep one of two directions of an edge where both carry the same values."""
    seen: set[tuple[str, frozenset[int], float, float]] = set()
    kept = []
    for change in changes:
        mark = (change.name, frozenset(change.wires), change.before, change.after)
        if mark not in seen:
            kept.append(change)
            seen.add(mark)
    return kept


def _text(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1e6:.3g} µs"
    return f"{value:.3g} {unit}".rstrip()
