"""What a quantum task costs, by the price books and by what the device says of itself. No request is made for it.

A program set is one task. In a reservation the hour is billed and the task is not: nothing is told of its cost.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from qml_producers.braket.devices import Device, Devices
from qml_producers.prices import Prices, Use, cost_of, open_for_host, with_device_cost
from quantum_mlops.events import Cost

PROVIDER = "braket"


@dataclass(frozen=True, slots=True)
class Priced:
    """What a task's price depends on: `shots` are those of all its executions."""

    backend: str
    shots: int | None
    error_mitigation: bool = False


class Costs:
    """Prices by device. For one thread: the writer's."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._by_device: dict[str, tuple[Device | None, Prices, Prices]] = {}

    def of(self, priced: Priced, status: str, *, shots: int | None = None, seconds: float | None = None) -> Cost | None:
        """Return what is known of the cost in `status`; `shots` are those executed, `seconds` those of a simulator."""
        now = datetime.now(UTC)
        use = Use(
            provider=PROVIDER,
            device=priced.backend,
            at=now,
            shots=priced.shots if shots is None else shots,
            seconds=seconds,
            error_mitigation=priced.error_mitigation,
        )
        return cost_of(self._prices(priced.backend, now), use, status)

    def _prices(self, arn: str, now: datetime) -> Prices:
        books, device = open_for_host(os.environ), self._devices.find(arn)
        known = self._by_device.get(arn)
        if known is None or known[0] is not device or known[1] is not books:
            said = books if device is None else with_device_cost(books, arn, device.document, now)
            known = self._by_device[arn] = (device, books, said)
        return known[2]
