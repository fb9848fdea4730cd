"""IonQ's characterizations as columns, API v0.3 and v0.4, and the same figures as Amazon Braket passes them on.

IonQ measures the whole device: its values belong to no qubit. v0.4 gives medians and an ISO date, v0.3 means and a
Unix time. State preparation and measurement (`spam`) is measured as one; it is called readout error here, as Braket's
own standardisation does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qml_producers.calibrations.columns import Row, columns_of, to_error, to_seconds, to_si
from quantum_mlops.events import CalibrationColumn

_FIDELITIES = {"spam": "readout_error", "1q": "one_qubit_error", "2q": "two_qubit_error"}
_TIMES = {
    "t1": "t1", "t2": "t2", "readout": "readout_length", "reset": "reset_length", "1q": "one_qubit_length",
    "2q": "two_qubit_length",
}  # fmt: skip
_MEASURES = ("median", "mean")


def columns_of_characterization(document: Mapping[str, Any]) -> list[CalibrationColumn]:
    """Return the columns of one characterization; every value has its date and the wires [] (the whole device)."""
    return columns_of(rows_of_device(document, to_seconds(document.get("date"))))


def rows_of_device(document: Mapping[str, Any], time: float | None) -> Iterator[Row]:
    """Yield a row for each of IonQ's figures; keys are read in either case (IonQ writes 1q, Braket 1Q)."""
    for key, found in _lowered(document.get("fidelity")):
        name = _FIDELITIES.get(key)
        if name is not None and isinstance(found, Mapping):
            fidelity = next((found[one] for one in _MEASURES if found.get(one) is not None), None)
            yield name, [], to_error(name, fidelity), time
    for key, seconds in _lowered(document.get("timing")):
        name = _TIMES.get(key)
        if name is not None and seconds is not None:
            yield name, [], to_si(name, seconds, "s"), time


def _lowered(found: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(found, Mapping):
        for key, value in found.items():
            yield str(key).lower(), value
