"""A log that is on Kafka, as the daemon uses it: what is only this machine's is kept here, in the outbox file.

How far the spool is read is such a thing. It moves after Kafka has acknowledged the events, so a crash between
the two sends some again, and the runner's window drops them: exact, without a transaction for every batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.origin import READER
from qml_daemon.follow import Followed
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Checkpoint, Commit, DeadLetter, Log, Record, Retained, Stream
from quantum_mlops.transports.lockfile import LockFile

HOME = "spool/"
"""Positions of this prefix stay here."""
_TOLD = f"{READER}/"
"""And those need no second place: the outbox has them in its own transaction, and the broker retains."""


class RemoteLog(Log, Protocol):
    """A log that other machines write and process, too."""

    def latest_time(self) -> int:
        """Return the greatest `ingestedtime` at the ends of the partitions of events; 0 where all are empty."""
        ...


class Closable(Protocol):
    """What is to be closed."""

    def close(self) -> None:
        """Let go. Idempotent."""
        ...


class HomeLog:
    """See `Log`; `remote` does what is not named above. One thread but for reading.

    Args:
        remote: closed by `close`.
        store: open; keeps the positions of the spool. Whoever opened it closes it.
        lock: held until `close`, so that one daemon works in a state folder.
        readers: who reads along; closed by `close`, first.

    """

    def __init__(self, remote: RemoteLog, store: OutboxStore, lock: LockFile, readers: Closable) -> None:
        self._readers = readers
        self._remote = remote
        self._store = store
        self._lock = lock
        self.partitions = remote.partitions
        self.partition_of = remote.partition_of
        self.latest_time = remote.latest_time

    def append(
        self,
        events: Sequence[Event],
        *,
        partition: int | None = None,
        dead_letters: Sequence[DeadLetter] = (),
        cursors: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """See `Log.append`; at least once where `cursors` are of the spool: they are stored after the events."""
        home, theirs = _part(cursors or {})
        if events or dead_letters or theirs:
            self._remote.append(events, partition=partition, dead_letters=dead_letters, cursors=theirs or None)
        self._keep(home)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        return self._remote.read(stream, partition, offset, limit)

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        return self._remote.end(stream, partition)

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        return self._remote.start(stream, partition)

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`."""
        self._remote.commit(partition, commit)

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        return self._remote.checkpoint(partition)

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        return self.cursors(name).get(name) if name.startswith(HOME) else self._remote.cursor(name)

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        return self._store.read_cursors(prefix) if prefix.startswith(HOME) else self._remote.cursors(prefix)

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        home, theirs = _part(cursors)
        if theirs:
            self._remote.move_cursors(theirs)
        self._keep(home)

    def retain(self, *, older_than: int, max_bytes: int, readers: Iterable[str] = ()) -> Retained:
        """See `Log.retain`; brokers retain by the settings of their topics."""
        return self._remote.retain(older_than=older_than, max_bytes=max_bytes, readers=readers)

    def close(self) -> None:
        """Release the log and the lock; idempotent."""
        self._readers.close()
        self._remote.close()
        self._lock.close()

    def _keep(self, cursors: Mapping[str, bytes | None]) -> None:
        if cursors:
            with self._store.transaction():
                self._store.put_cursors(cursors)


class ReadAhead:
    """The findings as the dispatcher reads them: by a tail, which asks no broker where nothing is new."""

    def __init__(self, log: Log, tail: Followed) -> None:
        self.partitions = log.partitions
        self.read = tail.read
        self.end = log.end
        self.cursor = log.cursor
        self.move_cursors = log.move_cursors


def _part(cursors: Mapping[str, bytes | None]) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
    home: dict[str, bytes | None] = {}
    theirs: dict[str, bytes | None] = {}
    for name, position in cursors.items():
        if name.startswith(HOME):
            home[name] = position
        elif not name.startswith(_TOLD):
            theirs[name] = position
    return home, theirs
