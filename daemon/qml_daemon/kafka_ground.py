"""The ground of a daemon whose log is on Kafka: workers process, this one takes in, reads along, tells and serves."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from qml_daemon.delivery.store import OutboxStore
from qml_daemon.ground import Ground
from qml_daemon.home_log import Closable, HomeLog, ReadAhead
from qml_daemon.places import OUTBOX, store_path
from qml_daemon.processing import Elsewhere
from qml_processors.transfer import refuse_unfinished
from quantum_mlops.clock import Clock
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.lease import CURSOR, KafkaLease
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.spread import Spreader
from quantum_mlops.transports.kafka.tail import Tail
from quantum_mlops.transports.lockfile import LockFile

_HOME = "home"
_HOME_BYTES = 8
_TIMEOUT_SECONDS = 8.0
"""What the main loop waits for Kafka at a time: receivers are served in between."""


class SideLoop:
    """What works beside the log on a thread of its own, as one thing to close."""

    def __init__(self, loop: KafkaLoop, parts: Sequence[Closable]) -> None:
        self._loop = loop
        self._parts = parts

    def close(self) -> None:
        """Stop it; idempotent. Where Kafka does not answer, what is left ends with the thread."""
        for part in self._parts:
            with suppress(LogError):
                part.close()
        self._loop.close()


def open_kafka_ground(config: Config, settings: KafkaSettings, clock: Clock) -> Ground:
    """Lock the state folder, open the outbox, look at the topics, take the lease.

    Raises:
        ConfigError: the topics are missing or not as they must be.
        UserError: another daemon works on these topics.
        LogError: Kafka or the outbox cannot be opened; LogLockedError: another daemon runs on this folder.

    """
    with ExitStack() as opened:
        lock = _lock(config)
        opened.callback(lock.close)
        store = OutboxStore(config.state_dir / OUTBOX, config.log.durability)
        opened.callback(store.close)
        remote = KafkaLog(settings, clock=clock, writer="daemon", timeout_seconds=_TIMEOUT_SECONDS)
        opened.callback(remote.close)
        refuse_unfinished(remote)
        loop = KafkaLoop(settings.servers, _TIMEOUT_SECONDS)
        opened.callback(loop.close)
        lease = KafkaLease(loop, settings, _home(store), lambda: remote.cursor(CURSOR))
        lease.take()
        opened.pop_all()
    followed, findings = (Tail(loop, settings, remote.partitions) for _ in range(2))
    spreader = Spreader(loop, settings, remote.partitions)
    log = HomeLog(remote, store, lock, SideLoop(loop, [followed, findings, spreader]))
    return Ground(
        log=log,
        store=store,
        processing=Elsewhere(log),
        followed=followed,
        findings=ReadAhead(log, findings),
        spread=spreader.append,
        lease=lease,
        counts_records=False,
    )


def _lock(config: Config) -> LockFile:
    """Take the lock that a log in this folder would have: commands look there for a daemon."""
    path = store_path(config)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LockFile(path.with_name(f"{path.name}.lock"))
    except OSError as error:
        raise LogError(f"{path.parent}: cannot be written: {error.strerror}") from error


def _home(store: OutboxStore) -> str:
    """Return the name of this state folder; it is given at the first start."""
    found = store.read_cursors(_HOME).get(_HOME)
    if found is None:
        found = os.urandom(_HOME_BYTES)
        with store.transaction():
            store.put_cursors({_HOME: found})
    return found.hex()
