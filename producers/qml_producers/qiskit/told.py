"""Which calibration values the canaries have told already: each series says them once, and again when they change.

No processor joins canaries with calibration snapshots, so a canary brings the values of its own footprint
(docs/adr/0004).
"""

from qml_producers.qiskit.snapshots import Calibration
from quantum_mlops.calibrations import restrict
from quantum_mlops.events import CalibrationColumn, Footprint

MOST_QUBITS = 64
_MOST_SERIES = 256


class ToldCalibrations:
    """For one thread: the writer's."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], str | None] = {}

    def news(
        self, calibration: Calibration | None, used: Footprint | None, *series: object
    ) -> list[CalibrationColumn] | None:
        """Return the footprint's values where `series` has not told them yet; None where there is nothing to tell."""
        if calibration is None or used is None or len(used.qubits) > MOST_QUBITS:
            return None
        key = (*series, *used.qubits)
        if self._told.get(key) == used.calibration_id:
            return None
        if len(self._told) >= _MOST_SERIES:
            self._told.clear()
        self._told[key] = used.calibration_id
        return restrict(calibration.columns, used.qubits, used.edges)
