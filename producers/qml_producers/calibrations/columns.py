"""Rows of values to the contract's columns, in SI units, with a provider's words for "unknown" as missing.

What a provider writes in place of an unknown value (an error of 1, a lifetime of 0) is missing here.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from quantum_mlops.events import CalibrationColumn

Row = tuple[str, list[int], float | None, float | None]
"""Name, qubits (none: the whole device), value in SI units, when it was measured (Unix seconds)."""

_SCALE = {
    "": 1.0, "s": 1.0, "S": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9,
    "Hz": 1.0, "kHz": 1e3, "KHz": 1e3, "MHz": 1e6, "GHz": 1e9, "THz": 1e12,
}  # fmt: skip
_UNITS = {"t1": "s", "t2": "s", "frequency": "Hz", "anharmonicity": "Hz"}
_DIGITS = 12


def columns_of(rows: Iterable[Row]) -> list[CalibrationColumn]:
    """Return the columns of rows, sorted by name, each in the order of its rows."""
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


def to_si(name: str, value: Any, unit: str) -> float | None:
    """Return a value in SI units, or None where it stands for "unknown" or its unit is not known.

    >>> to_si("t1", 250.0, "us"), to_si("cx_error", 1, ""), to_si("t2", 0.0, "us")
    (0.00025, None, None)
    """
    scale = _SCALE.get(unit)
    if scale is None or isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if name.endswith("_error") and value >= 1:
        return None
    if name in {"t1", "t2"} and value <= 0:
        return None
    if name == "layer_fidelity" and not 0 < value <= 1:
        return None
    return float(value) * scale


def to_error(name: str, fidelity: Any) -> float | None:
    """Return 1 - fidelity without the float's dust, or None where that is no error.

    >>> to_error("readout_error", 0.9), to_error("readout_error", 0)
    (0.1, None)
    """
    error = to_si(name, fidelity, "")
    return None if error is None or not 0 < error <= 1 else round(1.0 - error, _DIGITS)


def to_seconds(date: Any) -> float | None:
    """Return the Unix seconds of a datetime, an ISO 8601 text or a number; UTC where it says no zone."""
    if isinstance(date, bool):
        return None
    if isinstance(date, (int, float)):
        return float(date) if math.isfinite(date) else None
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            return None
    if not isinstance(date, datetime):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
