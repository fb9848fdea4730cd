"""Reading the SQLite log: from any thread, from any process, with the daemon running or not.

A reader never writes and never checkpoints, so it cannot stand in the writer's way.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Checkpoint, Record, Stream
from quantum_mlops.transports.partitioning import partition_of
from quantum_mlops.transports.rows import read_row
from quantum_mlops.transports.schema import connect_reader, count_partitions, log_error, table

_T = TypeVar("_T")


class SqliteReader:
    """The reading half of the log. Thread-safe: every thread gets its own connection.

    Not to be carried across a fork. Every method raises LogError where the store fails.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._closed = False
        try:
            self.partitions = self._ask(count_partitions)
        except LogError:
            self.close()
            raise
        if not self.partitions:
            self.close()
            raise LogError(f"{self._path}: an empty store; start the daemon once to make it")

    def partition_of(self, partitionkey: str) -> int:
        """See `Log.partition_of`."""
        return partition_of(partitionkey, self.partitions)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        name = self._table(stream, partition)
        sql = f"SELECT offset, ingestedtime, body FROM {name} WHERE offset >= ? ORDER BY offset LIMIT ?"  # noqa: S608 - our names
        rows = self._rows(sql, (offset, limit))
        return [
            read_row(stream, at, time, body if isinstance(body, bytes) else str(body).encode())
            for at, time, body in rows
        ]

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        self._table(stream, partition)
        sql = "SELECT end FROM tails WHERE stream = ? AND partition = ?"
        return int(self._rows(sql, (stream.value, partition))[0][0])

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        name = self._table(stream, partition)
        # One statement, so that both numbers are of one snapshot.
        sql = f"SELECT coalesce((SELECT min(offset) FROM {name}), end) FROM tails WHERE stream = ? AND partition = ?"  # noqa: S608 - our names
        return int(self._rows(sql, (stream.value, partition))[0][0])

    def seek(self, stream: Stream, partition: int, ingestedtime: int) -> int:
        """Return the lowest offset of a record ingested at or after `ingestedtime`; `end` where there is none."""
        low, high = self.start(stream, partition), self.end(stream, partition)
        name = self._table(stream, partition)
        sql = f"SELECT offset, ingestedtime FROM {name} WHERE offset >= ? ORDER BY offset LIMIT 1"  # noqa: S608 - our names
        while low < high:
            middle = (low + high) // 2
            found = self._rows(sql, (middle,))
            if found and found[0][1] < ingestedtime:
                low = found[0][0] + 1
            else:
                high = middle
        return low

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        self._table(Stream.EVENTS, partition)

        def ask(connection: sqlite3.Connection) -> Checkpoint:
            connection.execute("BEGIN")
            try:
                watermark = connection.execute(
                    "SELECT watermark FROM partitions WHERE partition = ?", (partition,)
                ).fetchone()
                rows = connection.execute(f"SELECT key, value FROM states_{partition:d}").fetchall()  # noqa: S608 - a number
            finally:
                connection.execute("ROLLBACK")
            return Checkpoint(watermark=watermark[0], rows=dict(rows))

        return self._ask(ask)

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        rows = self._rows("SELECT position FROM cursors WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        sql = "SELECT name, position FROM cursors WHERE name >= ? AND substr(name, 1, length(?)) = ?"
        return {name.decode(): position for name, position in self._rows(sql, (prefix, prefix, prefix))}

    def close(self) -> None:
        """Release all connections; idempotent."""
        with self._lock:
            self._closed = True
            while self._connections:
                self._connections.pop().close()

    def _table(self, stream: Stream, partition: int) -> str:
        if not 0 <= partition < self.partitions:
            raise LogError(f"this log has no partition {partition}")
        return table(stream, partition)

    def _rows(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        return self._ask(lambda connection: connection.execute(sql, parameters).fetchall())

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return question(self._connection())
        except sqlite3.Error as error:
            raise log_error(error, self._path) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._closed:
            with self._lock:
                if self._closed:
                    raise LogError(f"{self._path}: the log is closed")
                connection = self._local.connection = connect_reader(self._path)
                self._connections.append(connection)
        return connection
