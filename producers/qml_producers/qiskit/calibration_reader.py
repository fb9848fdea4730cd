"""What a backend says of its qubits and gates, as columns in SI units.

IBM's properties document gives every value with the date at which it was measured; a Target gives values without
dates. What a provider writes in place of an unknown value (an error of 1, a lifetime of 0) is missing here.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from quantum_mlops.events import CalibrationColumn

Row = tuple[str, list[int], float | None, float | None]

_SCALE = {
    "": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
    "Hz": 1.0, "kHz": 1e3, "KHz": 1e3, "MHz": 1e6, "GHz": 1e9, "THz": 1e12,
}  # fmt: skip
_QUBIT_NAMES = {"T1": "t1", "T2": "t2"} | {
    name: name
    for name in (
        "frequency", "anharmonicity", "readout_error", "prob_meas0_prep1", "prob_meas1_prep0", "readout_length",
    )
}  # fmt: skip
_UNITS = {"t1": "s", "t2": "s", "frequency": "Hz", "anharmonicity": "Hz"}


def columns_of_properties(document: Mapping[str, Any]) -> list[CalibrationColumn]:
    """Return the columns of IBM's `BackendProperties.to_dict()`, sorted by name; a value of unknown unit is missing."""
    return _columns(_rows_of_properties(document))


def columns_of_target(target: Any) -> list[CalibrationColumn]:
    """Return the columns of a Qiskit Target, without dates; what the Target does not know has no row."""
    return _columns(_rows_of_target(target))


def _rows_of_properties(document: Mapping[str, Any]) -> Iterator[Row]:
    for qubit, values in enumerate(document.get("qubits") or ()):
        for value in values:
            name = _QUBIT_NAMES.get(value["name"])
            if name is not None:
                yield name, [qubit], _si(name, value["value"], value.get("unit") or ""), _seconds(value.get("date"))
    for gate in document.get("gates") or ():
        for value in gate["parameters"]:
            kind = {"gate_error": "error", "gate_length": "length"}.get(value["name"])
            if kind is not None:
                name = f"{gate['gate']}_{kind}"
                wires = [int(qubit) for qubit in gate["qubits"]]
                yield name, wires, _si(name, value["value"], value.get("unit") or ""), _seconds(value.get("date"))


def _rows_of_target(target: Any) -> Iterator[Row]:
    for qubit, properties in enumerate(target.qubit_properties or ()):
        for name in ("t1", "t2", "frequency"):
            value = getattr(properties, name, None)
            if value is not None:
                yield name, [qubit], _si(name, value, ""), None
    for gate in target.operation_names:
        for wires, properties in (target[gate] or {}).items():
            if wires is None or properties is None:
                continue
            for kind, value in (("error", properties.error), ("length", properties.duration)):
                if value is not None:
                    name = f"{'readout' if gate == 'measure' else gate}_{kind}"
                    yield name, list(wires), _si(name, value, ""), None


def _columns(rows: Iterable[Row]) -> list[CalibrationColumn]:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).append(row)
    return [
        CalibrationColumn(
            name=name,
            unit=_UNITS.get(name, "s" if name.endswith("_length") else ""),
            wires=[wires for _, wires, _, _ in found],
            values=[value for _, _, value, _ in found],
            times=[time for _, _, _, time in found],
        )
        for name, found in sorted(by_name.items())
    ]


def _si(name: str, value: Any, unit: str) -> float | None:
    """The value in SI units, or None where it stands for "unknown"."""
    scale = _SCALE.get(unit)
    if scale is None or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if name.endswith("_error") and value >= 1:
        return None
    if name in {"t1", "t2"} and value <= 0:
        return None
    return float(value) * scale


def _seconds(date: Any) -> float | None:
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            return None
    if not isinstance(date, datetime):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
