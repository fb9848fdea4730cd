"""Reads the devices' calibrations from their providers again and again; changes go into the spool."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from qml_daemon.calibrations.outlet import CalibrationOutlet, source_of
from qml_daemon.calibrations.told import ToldFile
from qml_daemon.following.doors import OpenDoor
from qml_producers.calibrations.announcements import Announcements
from qml_producers.calibrations.polling import Device, Polling
from qml_producers.observing.door import Door
from quantum_mlops.clock import Clock
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError

Devices = Mapping[Device, Sequence[str]]

LOOK_AGAIN_SECONDS = 60.0
CALLS_PER_MINUTE = 30

_logger = logging.getLogger(__name__)


class Look(Struct, frozen=True, kw_only=True):
    """One reading. `events` is 0 where the values are those that were told last."""

    provider: str
    backend: str
    calibration_id: str | None = None
    events: int = 0
    error: str | None = None


class Parts(NamedTuple):
    """What a poller works with.

    `devices` names what to read and the projects that are told of it, anew every minute; `show` is shown each look.
    """

    outlet: CalibrationOutlet
    told: ToldFile
    devices: Callable[[], Devices]
    show: Callable[[Look], None]


class CalibrationPoller:
    """Used from one thread; `halt` from any, also from a signal handler.

    Args:
        doors: How to open each provider's door.
        interval_seconds: Time between two readings of one device.
        parts: Where devices come from and changes go to.
        clock: The wall clock (ns).
        monotonic: Seconds of a clock that never jumps.

    """

    def __init__(
        self,
        doors: Mapping[str, OpenDoor],
        interval_seconds: float,
        parts: Parts,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._openers, self._parts = doors, parts
        self._clock, self._monotonic = clock, monotonic
        self._doors: dict[str, Door] = {}
        self._polling = Polling(interval_seconds, CALLS_PER_MINUTE)
        self._announcements = Announcements()
        self._halted = threading.Event()
        self._complained: set[str] = set()
        self._projects: dict[Device, Sequence[str]] = {}
        parts.told.load(self._announcements)

    def halt(self) -> None:
        """End `run` soon: after the call that goes on now."""
        self._halted.set()

    def run(self) -> None:
        """Read until `halt`."""
        while not self._halted.is_set():
            until = self._monotonic() + LOOK_AGAIN_SECONDS
            try:
                self._find_devices()
                while (wait := self._step(until)) > 0:
                    if self._halted.wait(wait):
                        return
                    self._parts.outlet.renew()
            except OSError as error:  # the disk, for now: the next round may find it well
                _logger.warning("calibrations are not read: %s", error)
                self._halted.wait(LOOK_AGAIN_SECONDS)

    def run_once(self) -> list[Look]:
        """Read each device once, as fast as its provider may be asked; return what came of it."""
        looks: list[Look] = []
        self._find_devices()
        for device in sorted(self._projects):
            at = self._monotonic()
            if self._halted.wait(self._polling.next_call(device, at) - at):
                break
            looks.append(self._look(device))
        return looks

    def close(self) -> None:
        """Close the doors and the spool."""
        for door in self._doors.values():
            try:
                door.close()
            except Exception as error:  # noqa: BLE001 - an SDK raises what it likes; the process ends
                _logger.warning("a door did not close: %s", error)
        self._parts.outlet.close()

    def _step(self, until: float) -> float:
        """Read all devices that are due before `until`; return the seconds to wait for the next one, 0 at `until`."""
        while not self._halted.is_set():
            at = self._monotonic()
            found = self._polling.next_look(at)
            if at >= until:
                return 0.0
            if found is None or found[0] > at:
                due = until if found is None else found[0]
                return max(0.001, min(due, until) - at)
            self._look(found[1])
        return 0.0

    def _find_devices(self) -> None:
        self._projects = {
            device: names for device, names in self._parts.devices().items() if device[0] in self._openers
        }
        self._polling.watch(self._projects, self._monotonic())

    def _look(self, device: Device) -> Look:
        provider, backend = device
        at = self._monotonic()
        self._polling.call(device, at)
        try:
            look = self._read(provider, backend)
        except RetryableError as error:
            self._polling.fail(device, self._monotonic(), error.retry_after_seconds)
            look = self._complain(device, str(error))
        except (ConfigError, PermanentError) as error:
            self._polling.refuse(device, self._monotonic())
            look = self._complain(device, str(error))
        except Exception as error:  # noqa: BLE001 - an SDK raises what it likes: said, and tried again later
            self._polling.fail(device, self._monotonic(), None)
            look = self._complain(device, f"{type(error).__name__}: {error}"[:300])
        else:
            self._polling.succeed(device)
            self._complained.discard(provider)
        self._parts.show(look)
        return look

    def _read(self, provider: str, backend: str) -> Look:
        door = self._doors.get(provider)
        if door is None:
            door = self._doors[provider] = self._openers[provider]()
        columns = door.calibration(backend)
        now = self._clock()
        parts = list(self._announcements.tell(backend, provider, columns))
        if not parts:
            return Look(provider=provider, backend=backend)
        try:
            events = 0
            for project in self._projects.get((provider, backend), ()):
                source = source_of("polled", project, [provider, backend, now])
                events += self._parts.outlet.send(source, project, now, parts)
        except (OSError, ValueError):
            self._announcements.know(backend, "")  # it was not told after all
            raise
        found = parts[0].calibration_id
        try:
            self._parts.told.save(backend, found)
        except OSError as error:
            _logger.warning("%s cannot be kept: %s; it is told again after a restart", backend, error)
        return Look(provider=provider, backend=backend, calibration_id=found, events=events)

    def _complain(self, device: Device, reason: str) -> Look:
        """Say it once until the provider answers again."""
        provider, backend = device
        reason = reason.removeprefix(f"{provider}: ")
        if provider not in self._complained:
            self._complained.add(provider)
            _logger.warning("%s of %s: %s", backend, provider, reason)
        return Look(provider=provider, backend=backend, error=reason)
