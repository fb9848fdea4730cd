"""From a configuration to a poller at work."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from qml_daemon.calibrations.devices import devices_of_views
from qml_daemon.calibrations.interval import seconds_between
from qml_daemon.calibrations.outlet import CalibrationOutlet, new_nonce
from qml_daemon.calibrations.poller import CalibrationPoller, Devices, Look, Parts
from qml_daemon.calibrations.told import ToldFile
from qml_daemon.following.doors import find_doors, find_offered, known_providers
from quantum_mlops.clock import SECOND, system_clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import UserError
from quantum_mlops.sdk.settings import Settings

STOP_SECONDS = 5.0


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asked for. Without `backends` the devices are those of the log, without `project` so are they."""

    providers: Sequence[str] | None = None
    backends: Sequence[str] | None = None
    project: str | None = None
    interval: str


def open_poller(
    config: Config, environ: Mapping[str, str], settings: Settings, wish: Wish, show: Callable[[Look], None]
) -> tuple[str, CalibrationPoller]:
    """Return the nonce of its spool's writer and the poller, ready to run.

    Raises:
        UserError: no such provider, a device without its provider, a wrong interval.

    """
    known = known_providers()
    if not known:
        raise UserError("no provider is installed that could be asked")
    for name in wish.providers or ():
        if name not in known:
            raise UserError(f"--provider: no provider is called {name!r}{suggest(name, known)}")
    if wish.backends and len(wish.providers or ()) != 1:
        raise UserError("--backend needs exactly one --provider, whose device it is")
    doors = find_doors(wish.providers, environ, parse_duration(config.follower.timeout) / SECOND)
    seconds = seconds_between("--interval", wish.interval)
    nonce = new_nonce()
    parts = Parts(
        CalibrationOutlet(settings, nonce), ToldFile(config.state_dir), _devices(config, settings, wish), show
    )
    return nonce, CalibrationPoller(doors, seconds, parts, system_clock, time.monotonic)


@contextmanager
def polling(config: Config, environ: Mapping[str, str]) -> Iterator[None]:
    """Read the calibrations of the log's devices in a thread of this process, as `[follower] calibrations` says."""
    if not parse_duration(config.follower.calibrations):
        yield
        return
    wish = Wish(providers=config.follower.providers, interval=config.follower.calibrations)
    _, poller = open_poller(config, environ, Settings(spool=str(config.spool_dir)), wish, lambda _: None)
    thread = threading.Thread(target=poller.run, name="qml-calibrations", daemon=True)
    thread.start()
    try:
        yield
    finally:
        poller.halt()
        thread.join(STOP_SECONDS)
        if not thread.is_alive():  # else a provider does not answer: the process ends without it
            poller.close()


def _devices(config: Config, settings: Settings, wish: Wish) -> Callable[[], Devices]:
    if wish.backends:
        named = {(provider, one): [settings.project] for provider in wish.providers or () for one in wish.backends}
        return named.copy
    found, offers = devices_of_views(config.state_dir), find_offered(known_providers())

    def of_services() -> Devices:
        devices = {device: projects for device, projects in found().items() if offers(*device)}
        return devices if wish.project is None else {device: [settings.project] for device in devices}

    return of_services
