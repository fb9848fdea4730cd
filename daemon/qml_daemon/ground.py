"""What the daemon stands on, by `[log] kind`: the log, who processes it, who reads along, who may tell of findings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.origin import FindingLog
from qml_daemon.follow import Followed
from qml_daemon.kafka.access import kafka_settings
from qml_daemon.places import OUTBOX, store_path
from qml_daemon.processing import Embedded, Processing
from qml_daemon.ticks import append_to_each
from qml_processors.base import Processor
from qml_processors.runner import Runner
from quantum_mlops.clock import Clock
from quantum_mlops.config.sections import Config
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Log
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog


class Lease(Protocol):
    """The right to tell receivers, of one daemon at a time. `fault` is why it could not be kept, None while it is."""

    fault: str | None

    def is_held(self) -> bool:
        """Return whether this daemon may tell now."""
        ...

    def check(self) -> None:
        """Do nothing while it may be had.

        Raises:
            UserError: another daemon took it; this one must end.

        """
        ...

    def close(self) -> None:
        """Give it back. Idempotent."""
        ...


class Lock:
    """The lease of a log with one writing process: the lock on its file is all there is to it."""

    fault: str | None = None

    def is_held(self) -> bool:
        """Return True."""
        return True

    def check(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the log lets go of its lock."""


class Ground(Struct, frozen=True, kw_only=True):
    """`followed` is the log as the follower reads it, `findings` as the dispatcher does.

    `spread` appends an event to every partition. `counts_records` says that offsets have no holes but retention's.
    """

    log: Log
    store: OutboxStore
    processing: Processing
    followed: Followed
    findings: FindingLog
    spread: Callable[[Event], None]
    lease: Lease
    counts_records: bool

    def close(self) -> None:
        """Close everything, the log last; idempotent."""
        self.lease.close()
        self.store.close()
        self.log.close()


def open_ground(config: Config, clock: Clock, processors: Sequence[Processor[Any]]) -> Ground:
    """Open log and outbox. Where one fails, what was opened is closed again.

    Raises:
        ConfigError: the topics are missing or not as they must be. MissingExtraError: Kafka's client is missing.
        LogError: the log or the outbox cannot be opened; LogLockedError: another daemon runs here.

    """
    if config.log.kind == "kafka":
        settings = kafka_settings(config)
        from qml_daemon.kafka_ground import open_kafka_ground  # noqa: PLC0415 - an extra, for who has Kafka

        return open_kafka_ground(config, settings, clock)
    is_file = config.log.kind == "sqlite"
    log: Log = (
        SqliteLog(store_path(config), clock=clock, durability=config.log.durability)
        if is_file
        else MemoryLog(clock=clock)
    )
    try:
        store = OutboxStore(config.state_dir / OUTBOX if is_file else None, config.log.durability)
    except BaseException:
        log.close()
        raise
    return Ground(
        log=log,
        store=store,
        processing=Embedded(Runner(log, processors), log.partitions),
        followed=log,
        findings=log,
        spread=partial(append_to_each, log),
        lease=Lock(),
        counts_records=True,
    )
