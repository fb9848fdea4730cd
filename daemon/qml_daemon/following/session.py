"""From a configuration to a follower at work."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from qml_daemon.exporters.session import open_reader
from qml_daemon.following.doors import find_doors, find_served, known_providers
from qml_daemon.following.outlet import Outlet
from qml_daemon.following.status import store_path, write_follower_status
from qml_daemon.following.store import FollowerStore
from qml_daemon.following.worker import Follower, Parts, Terms
from qml_daemon.places import store_path as log_path
from quantum_mlops.clock import SECOND, system_clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.load import is_file
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import UserError
from quantum_mlops.events import Event


def open_follower(
    config: Config, environ: Mapping[str, str], show: Callable[[Event], None], named: Sequence[str] | None = None
) -> Follower:
    """Return the follower of a log, ready to run. `named` stands over the providers of the configuration.

    Raises:
        UserError: there is no log yet, or no such provider.
        LogLockedError: another follower works here.
        LogError: the log or the follower's own store cannot be opened.

    """
    section = config.follower
    providers = section.providers if named is None else list(named)
    known = known_providers()
    if not known:
        raise UserError("no provider is installed that could be asked")
    for name in providers or ():
        if name not in known:
            raise UserError(f"no provider is called {name!r}; known are {', '.join(known)}")
    if config.log.kind != "kafka" and (config.log.kind == "memory" or not is_file(log_path(config))):
        raise UserError(f"{log_path(config)}: no log there; start `quantum-mlops daemon` once")
    terms = Terms(
        interval_seconds=parse_duration(section.interval) / SECOND,
        calls_per_minute=section.calls_per_minute,
        max_jobs=section.max_jobs,
        timeout_seconds=parse_duration(section.timeout) / SECOND,
        named=frozenset(providers or ()),
        serves=find_served(known if providers is None else providers),
    )
    doors = find_doors(providers, environ, terms.timeout_seconds)
    store = FollowerStore(store_path(config.state_dir))
    try:
        reader = open_reader(config, "follower")
    except BaseException:
        store.close()
        raise
    report = partial(write_follower_status, config.state_dir)
    parts = Parts(reader=reader, store=store, outlet=Outlet(config.spool_dir), show=show, report=report)
    try:
        return Follower(doors, terms, parts, system_clock)
    except BaseException:
        store.close()
        reader.close()
        raise
