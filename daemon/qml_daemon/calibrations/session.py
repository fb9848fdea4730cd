"""From a configuration to a poller at work."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from qml_daemon.calibrations.devices import devices_of_views
from qml_daemon.calibrations.outlet import CalibrationOutlet, new_nonce
from qml_daemon.calibrations.poller import CalibrationPoller, Look, Parts
from qml_daemon.calibrations.told import ToldFile
from qml_daemon.following.doors import find_doors, known_providers
from qml_producers.calibrations.polling import Device
from quantum_mlops.clock import SECOND, system_clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import UserError
from quantum_mlops.sdk.settings import Settings

LEAST_INTERVAL_SECONDS = 60.0


def open_poller(
    config: Config,
    environ: Mapping[str, str],
    settings: Settings,
    *,
    providers: Sequence[str] | None,
    backends: Sequence[str] | None,
    interval: str,
    show: Callable[[Look], None],
) -> tuple[str, CalibrationPoller]:
    """Return the nonce of its spool's writer and the poller, ready to run.

    Raises:
        UserError: no such provider, a device without its provider, a wrong interval.

    """
    known = known_providers()
    if not known:
        raise UserError("no provider is installed that could be asked")
    for name in providers or ():
        if name not in known:
            raise UserError(f"--provider: no provider is called {name!r}{suggest(name, known)}")
    if backends and len(providers or ()) != 1:
        raise UserError("--backend needs exactly one --provider, whose device it is")
    try:
        seconds = parse_duration(interval) / SECOND
    except ValueError as error:
        raise UserError(f"--interval: {error}") from error
    if seconds < LEAST_INTERVAL_SECONDS:
        raise UserError(f"--interval: {interval} is too often; calibrations change in hours, give 1m or more")
    doors = find_doors(providers, environ, parse_duration(config.follower.timeout) / SECOND)
    devices: Callable[[], Iterable[Device]]
    if backends:
        named = [(provider, backend) for provider in providers or () for backend in backends]
        devices = named.copy
    else:
        devices = devices_of_views(config.state_dir)
    nonce = new_nonce()
    parts = Parts(CalibrationOutlet(settings, nonce), ToldFile(config.state_dir), devices, show)
    return nonce, CalibrationPoller(doors, seconds, parts, system_clock, time.monotonic)
