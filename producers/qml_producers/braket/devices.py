"""What the user's own devices of Amazon Braket say of themselves: the calibration that their SDK object holds.

No request is made: a device's properties are as old as the user's object, or its last `refresh_metadata()`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qml_producers.calibrations.announcements import Announcements
from qml_producers.calibrations.braket import columns_of_device
from quantum_mlops.calibrations import calibration_id, footprint_id
from quantum_mlops.events import CalibrationColumn, CalibrationSnapshot

_MOST = 64


@dataclass(frozen=True)
class Device:
    """A device as its properties describe it; no columns where it publishes no calibration.

    `document` is the part of them that tells its price.
    """

    document: Mapping[str, Any]
    columns: list[CalibrationColumn]
    calibration_id: str | None

    def restricted_id(self, qubits: Sequence[int], edges: Sequence[tuple[int, int]]) -> str | None:
        """Return the calibration id of these qubits and edges, None without a calibration."""
        return footprint_id(self.columns, list(qubits), list(edges)) if self.columns else None


class Devices:
    """Devices by ARN. `note` is for the caller's thread; the rest for the writer's."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[Any, Any]] = {}
        self._read: dict[str, tuple[Any, Device]] = {}
        self._announcements = Announcements()

    def note(self, arn: str, properties: Any) -> None:
        """Remember the object in which the user's SDK holds what a device says of itself.

        Another object of the same `updatedAt` says the same: who makes a device for each step has it read once.
        """
        known = self._noted.get(arn)
        if properties is None or (known is not None and known[0] is properties):
            return
        updated = getattr(getattr(properties, "service", None), "updatedAt", None)
        if known is not None and updated is not None and known[1] == updated:
            return
        if known is not None or len(self._noted) < _MOST:
            self._noted[arn] = (properties, updated)

    def find(self, arn: str) -> Device | None:
        """Return what is known of a device; None where no object of it was used. Raises what a bad document raises."""
        noted = self._noted.get(arn)
        if noted is None:
            return None
        properties, known = noted[0], self._read.get(arn)
        if known is None or known[0] is not properties:
            document = json.loads(properties.json())
            columns = columns_of_device(document)
            found = calibration_id(columns) if columns else None
            known = self._read[arn] = (properties, Device({"service": document.get("service")}, columns, found))
        return known[1]

    def announce(self, arn: str, provider: str) -> Iterator[CalibrationSnapshot]:
        """Yield the events of a device's calibration where it is news."""
        device = self.find(arn)
        if device is not None and device.columns:
            yield from self._announcements.tell(arn, provider, device.columns, device.calibration_id)
