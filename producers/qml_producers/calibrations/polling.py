"""Which device's calibration is read next, provider by provider. Pure: seconds of a monotonic clock are handed in."""

from collections.abc import Iterable

from qml_producers.following.pace import Pace

MAX_DEVICES = 500
REFUSED_SECONDS = 3600.0
"""A device that a provider does not tell us about is asked for again after an hour."""

Device = tuple[str, str]
"""(provider, backend)."""


class Polling:
    """The schedule. Not thread-safe.

    Args:
        interval_seconds: The time between two looks at one device.
        calls_per_minute: The most calls to one provider in a minute.

    """

    def __init__(self, interval_seconds: float, calls_per_minute: int) -> None:
        self._interval = interval_seconds
        self._most = calls_per_minute
        self._paces: dict[str, Pace] = {}
        self._due: dict[Device, float] = {}

    def watch(self, devices: Iterable[Device], at: float) -> None:
        """Read these from now on, new ones at once; those that are not named any more no longer."""
        wanted = sorted(set(devices))[:MAX_DEVICES]
        self._due = {device: self._due.get(device, at) for device in wanted}

    def next_look(self, at: float) -> tuple[float, Device] | None:
        """Return when which device is read next; None where there is none."""
        looks = [(max(due, self._pace(device).next_call(at)), device) for device, due in self._due.items()]
        return min(looks, default=None)

    def next_call(self, device: Device, at: float) -> float:
        """Return when this device's provider may be asked, whether or not the device is due."""
        return self._pace(device).next_call(at)

    def call(self, device: Device, at: float) -> None:
        """Note that a device is read now."""
        self._pace(device).call(at)
        self._due[device] = at + self._interval

    def succeed(self, device: Device) -> None:
        """Note that the provider answered."""
        self._pace(device).succeed()

    def refuse(self, device: Device, at: float) -> None:
        """Note that the provider does not tell us about this device."""
        self._due[device] = at + max(self._interval, REFUSED_SECONDS)

    def fail(self, device: Device, at: float, retry_after_seconds: float | None) -> None:
        """Note that the provider did not answer: it is left alone for a while, then this device is read again."""
        pace = self._pace(device)
        pace.fail(at, retry_after_seconds)
        self._due[device] = min(self._due.get(device, at), pace.paused_until)

    def _pace(self, device: Device) -> Pace:
        provider = device[0]
        pace = self._paces.get(provider)
        if pace is None:
            pace = self._paces[provider] = Pace(self._most)
        return pace
