"""The file of the views. It is a copy of what the log says, so it is never repaired: it is made anew.

Rows and positions in the log move in one transaction, so each record counts once, whatever is killed when.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from qml_daemon.follow import Followed, Place
from qml_daemon.views.schema import connect_writer, create, is_current
from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.schema import log_error

FILE = "views.sqlite"
_LOG_ID = "log-id"


class Origin(Followed, Protocol):
    """The log that views are made from."""

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...


def open_views(path: Path, log: Origin) -> "ViewStore":
    """Return the views of this log. Where the file is ahead of the log (a power loss, an older backup), new ones.

    Raises:
        LogError: the file cannot be opened, or the log cannot be read.

    """
    log_id = log.cursor(_LOG_ID)
    store = ViewStore(path, log_id)
    if all(
        partition < log.partitions and offset <= log.end(stream, partition)
        for (stream, partition), offset in store.positions().items()
    ):
        return store
    store.close()
    path.unlink()
    return ViewStore(path, log_id)


class ViewStore:
    """The writing half. One thread at a time.

    Args:
        path: the file. A damaged one, one of another version, or one of another log is removed and begun anew.
        log_id: names the log that the positions are of.

    Raises:
        LogError: the file cannot be opened.

    """

    def __init__(self, path: Path, log_id: bytes | None) -> None:
        self.path = path
        try:
            self.connection = self._open(log_id) or self._make(log_id)
        except sqlite3.Error as error:
            raise log_error(error, path) from error
        except OSError as error:
            raise LogError(f"{path}: cannot open the views: {error.strerror}") from error

    def positions(self) -> dict[Place, int]:
        """Return the next offset by stream and partition."""
        try:
            rows = self.connection.execute("SELECT stream, partition, offset FROM positions").fetchall()
        except sqlite3.Error as error:
            raise log_error(error, self.path) from error
        return {(Stream(stream), partition): offset for stream, partition, offset in rows}

    @contextmanager
    def transaction(self, positions: Mapping[Place, int]) -> Iterator[sqlite3.Connection]:
        """Everything inside is stored with `positions`, or nothing is.

        Raises:
            LogError: the file failed.

        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            rows = [(stream.value, partition, offset) for (stream, partition), offset in positions.items()]
            connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise log_error(error, self.path) from error
            raise

    def close(self) -> None:
        """Release the file; idempotent."""
        self.connection.close()

    def _open(self, log_id: bytes | None) -> sqlite3.Connection | None:
        """Return a connection to views that hold for this log; None where there are none, or they are damaged."""
        if not self.path.exists():
            return None
        connection = connect = None
        try:
            connection = connect_writer(self.path)
            if is_current(connection) and connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                found = connection.execute("SELECT log FROM origin").fetchone()
                connect = connection if found is not None and found[0] == log_id else None
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
        finally:
            if connection is not None and connect is None:
                connection.close()
        return connect

    def _make(self, log_id: bytes | None) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        connection = connect_writer(self.path)
        try:
            create(connection)
            connection.execute("INSERT INTO origin VALUES (0, ?, ?)", (log_id, os.urandom(4).hex()))
        except BaseException:
            connection.close()
            raise
        return connection
