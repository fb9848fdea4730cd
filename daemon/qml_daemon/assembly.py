"""From a checked configuration to the daemon's parts, each opened once, in the order they need each other."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qml_daemon.delivery.outbox import Outbox
from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.dispatcher import Dispatcher, Fault, no_fault
from qml_daemon.dispatch.routes import build_paths
from qml_daemon.follow import Follower
from qml_daemon.ground import Ground, open_ground
from qml_daemon.http.health import Health
from qml_daemon.ingest.door import Door
from qml_daemon.ingest.inbox import Inbox
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_daemon.manual import address_of
from qml_daemon.metrics.meter import Meter
from qml_daemon.metrics.service import Files
from qml_daemon.notifiers.base import Notifier
from qml_daemon.notifiers.plugins import build_notifiers, load_kinds
from qml_daemon.places import OUTBOX, store_path
from qml_daemon.processing import Processing
from qml_daemon.query.feed import Feed
from qml_daemon.views.store import FILE as VIEWS
from qml_daemon.views.upkeep import Views
from qml_processors.base import Processor
from qml_processors.runner import load_processors
from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, MissingExtraError
from quantum_mlops.transports.base import Log

if TYPE_CHECKING:
    from qml_daemon.mqtt.bridge import Bridge


def no_beat() -> None:
    """Nobody watches the loop."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the daemon takes from outside: the clock, randomness for jitter, and faults in tests.

    `beat` is called in every round of the main loop. `reloads` counts the configurations that were taken over in
    this process.
    """

    clock: Clock = system_clock
    random: Callable[[], float] = random.random
    fault: Fault = no_fault
    beat: Callable[[], None] = no_beat
    reloads: int = 0


class Parts(Struct, frozen=True, kw_only=True):
    """The daemon's parts. `inbox` is the other threads' way to the log, `health` what they know of the main loop.

    `bridge` is None where no `[mqtt]` is configured.
    """

    ground: Ground
    log: Log
    inbox: Inbox
    door: Door
    bridge: "Bridge | None"
    health: Health
    intake: Intake
    processing: Processing
    dispatcher: Dispatcher
    meter: Meter
    follower: Follower
    views: Views
    feed: Feed
    store: OutboxStore
    processors: list[Processor[Any]]
    notifiers: Mapping[tuple[str, str], Notifier]
    clock: Clock

    def close(self) -> None:
        """Close what was opened, the log last."""
        self.follower.close()
        self.views.close()
        self.dispatcher.close()
        self.intake.close()
        self.ground.close()


def assemble(config: Config, around: Surroundings) -> Parts:
    """Open log and outbox and build the rest. Where one fails, what was opened is closed again.

    Raises:
        ConfigError: a receiver cannot be. MissingExtraError: the bridge's client is missing.
        LogError: the log or the outbox cannot be opened; LogLockedError: another daemon runs here.

    """
    notifiers = build_notifiers(config, load_kinds())
    processors = _load_processors()
    inbox = Inbox()
    bridge = _build_bridge(config, inbox, around)
    ground = open_ground(config, around.clock, processors)
    try:
        return _build(config, around, ground, processors, notifiers, inbox, bridge)
    except BaseException:
        ground.close()
        raise


def _build(
    config: Config,
    around: Surroundings,
    ground: Ground,
    processors: list[Processor[Any]],
    notifiers: Mapping[tuple[str, str], Notifier],
    inbox: Inbox,
    bridge: "Bridge | None",
) -> Parts:
    log, clock = ground.log, around.clock
    health, feed = Health(), Feed()
    names = [processor.name for processor in processors]
    meter = Meter(log, health, clock, names, _find_files(config), counts_records=ground.counts_records)
    outbox = Outbox(ground.store, notifiers, clock, around.random)
    link = partial(address_of, external_url=config.http.external_url)
    paths = build_paths(config.route)
    dispatcher = Dispatcher(ground.findings, ground.store, outbox, paths, clock, around.fault, link)
    try:
        views = _open_views(config, log, feed)
    except BaseException:
        dispatcher.close()
        raise
    return Parts(
        ground=ground,
        log=log,
        inbox=inbox,
        door=Door(inbox, clock),
        bridge=bridge,
        health=health,
        intake=Intake(log, config.spool_dir, clock, this_host()),
        processing=ground.processing,
        dispatcher=dispatcher,
        meter=meter,
        follower=Follower(ground.followed, [meter.seat, views.seat]),
        views=views,
        feed=feed,
        store=ground.store,
        processors=processors,
        notifiers=notifiers,
        clock=clock,
    )


def _build_bridge(config: Config, inbox: Inbox, around: Surroundings) -> "Bridge | None":
    if config.mqtt is None:
        return None
    try:
        from qml_daemon.mqtt.bridge import Bridge  # noqa: PLC0415 - an extra, for who has a broker
    except ModuleNotFoundError as error:
        if error.name not in ("aiomqtt", "paho"):
            raise
        raise MissingExtraError("[mqtt]", "mqtt") from None
    return Bridge(config.mqtt, inbox, around.clock, around.random)


def _find_files(config: Config) -> Files | None:
    if config.log.kind == "memory":
        return None
    paths = {"outbox": config.state_dir / OUTBOX, "views": config.state_dir / VIEWS}
    if config.log.kind == "kafka":
        return Files(config.state_dir, paths, None)
    store = store_path(config)
    paths = {"log": store, "wal": store.with_name(f"{store.name}-wal"), **paths}
    return Files(config.state_dir, paths, config.log.max_bytes)


def _open_views(config: Config, log: Log, feed: Feed) -> Views:
    """Open the views; after the dispatcher, which names the log."""
    folder = None if config.log.kind == "memory" else config.state_dir
    return Views(folder, log, parse_duration(config.log.retention), feed.publish)


def _load_processors() -> list[Processor[Any]]:
    try:
        return load_processors()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"a processor is installed that cannot be loaded: {error}") from error
