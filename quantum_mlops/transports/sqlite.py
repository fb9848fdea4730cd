"""The embedded log: SQLite in WAL mode, one writer, CloudEvents JSON in every row.

What was acknowledged survives the death of the process; with `durability="power-loss"` also that of
the machine, at one fsync a commit. Readers beside it: `SqliteLog.open_reader`.

Source: sqlite.org/wal.html; measurements in benchmarks/log.py.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports import schema
from quantum_mlops.transports.base import Checkpoint, Commit, DeadLetter, Record, Retained, Stream
from quantum_mlops.transports.lockfile import LockFile
from quantum_mlops.transports.partitioning import partition_of
from quantum_mlops.transports.rows import Draft, Place, Tail, split, split_letters
from quantum_mlops.transports.sqlite_reader import SqliteReader
from quantum_mlops.transports.sqlite_retention import retain

_SYNCHRONOUS = {"normal": "NORMAL", "power-loss": "FULL"}
_RESET_EVERY_SECONDS = 1.0


class SqliteLog:
    """A `Log` in one SQLite file.

    `append`, `commit`, `move_cursors`, `retain` and `close` are called from one thread at a time and block for
    one transaction; reading is safe from any thread. Not to be carried across a fork.

    Args:
        path: the file; made with its folder where it is absent.
        partitions: fixed when the file is made.
        clock: gives `ingestedtime`.
        durability: "normal" survives the death of the process, "power-loss" that of the machine.

    Raises:
        LogLockedError: another process (or another log in this one) writes the file.
        LogVersionError: the file is newer than this program.
        LogError: the file cannot be opened, is damaged, or has another number of partitions.

    """

    def __init__(
        self,
        path: Path | str,
        partitions: int = 1,
        clock: Clock = system_clock,
        durability: Literal["normal", "power-loss"] = "normal",
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._wal = self.path.with_name(self.path.name + "-wal")
        self._reset_at = 0.0
        self._stale = False
        self.checkpoint_failures = 0
        self._reader: SqliteReader | None = None
        self._connection: sqlite3.Connection | None = None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = LockFile(self.path.with_name(self.path.name + ".lock"))
        except OSError as error:
            raise LogError(f"{self.path}: cannot open the store: {error.strerror}") from error
        try:
            self._connection = schema.connect_writer(self.path, _SYNCHRONOUS[durability])
            self.partitions = _open_tables(self._connection, self.path, partitions)
            self._tails = _read_tails(self._connection)
            self._reader = SqliteReader(self.path)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise schema.log_error(error, self.path) from error
            if isinstance(error, OSError):
                raise LogError(f"{self.path}: cannot open the store: {error.strerror}") from error
            raise

    @staticmethod
    def open_reader(path: Path | str) -> SqliteReader:
        """Return a reader of the file, for another process; works while the daemon runs or is down.

        Raises:
            LogError: there is no such file, or it is no log.

        """
        return SqliteReader(path)

    def partition_of(self, partitionkey: str) -> int:
        """See `Log.partition_of`."""
        return partition_of(partitionkey, self.partitions)

    def append(
        self,
        events: Sequence[Event],
        *,
        partition: int | None = None,
        dead_letters: Sequence[DeadLetter] = (),
        cursors: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """See `Log.append`."""
        draft = self._draft()
        for index, part in split(events, self.partitions, partition).items():
            draft.add_events((Stream.EVENTS, index), part)
        for index, letters in split_letters(dead_letters).items():
            draft.add_letters(index, letters)
        with self._transaction() as connection:
            _insert(connection, draft)
            _move(connection, cursors or {})
        self._tails.update(draft.tails)

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`."""
        draft = self._draft()
        draft.add_events((Stream.FINDINGS, partition), commit.findings)
        draft.add_events((Stream.SUMMARIES, partition), commit.summaries)
        draft.add_letters(partition, commit.dead_letters)
        for index, part in split(commit.forwards, self.partitions, None).items():
            draft.add_events((Stream.EVENTS, index), part)
        kept = [(key, value) for key, value in commit.rows.items() if value is not None]
        gone = [(key,) for key, value in commit.rows.items() if value is None]
        with self._transaction() as connection:
            _insert(connection, draft)
            connection.executemany(f"INSERT OR REPLACE INTO states_{partition:d} VALUES (?, ?)", kept)  # noqa: S608 - a number
            connection.executemany(f"DELETE FROM states_{partition:d} WHERE key = ?", gone)  # noqa: S608 - a number
            connection.execute(
                "UPDATE partitions SET watermark = ?, replay_start = ? WHERE partition = ?",
                (commit.watermark, commit.replay_start, partition),
            )
        self._tails.update(draft.tails)

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        with self._transaction() as connection:
            _move(connection, cursors)

    def retain(self, *, older_than: int, max_bytes: int, readers: Iterable[str] = ()) -> Retained:
        """See `Log.retain`. A pass is many short transactions; the file keeps its size and reuses what is freed."""
        return retain(self._transaction, older_than=older_than, max_bytes=max_bytes, readers=readers)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        return self._reading().read(stream, partition, offset, limit)

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        if (stream, partition) not in self._tails:
            raise LogError(f"this log has no partition {partition}")
        return self._tails[stream, partition].end

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        return self._reading().start(stream, partition)

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        return self._reading().checkpoint(partition)

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        return self._reading().cursor(name)

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        return self._reading().cursors(prefix)

    def close(self) -> None:
        """See `Log.close`. The writer closes last, so that it alone checkpoints."""
        try:
            if self._reader is not None:
                self._reader.close()
            if self._connection is not None:
                self._connection.close()
        finally:
            self._connection = None
            self._lock.close()

    def _reading(self) -> SqliteReader:
        if self._reader is None or self._connection is None:
            raise LogError(f"{self.path}: the log is closed")
        return self._reader

    def _draft(self) -> Draft:
        if self._stale:  # a commit failed: the file knows where it ends
            try:
                self._tails = _read_tails(self._writing())
            except sqlite3.Error as error:
                raise schema.log_error(error, self.path) from error
            self._stale = False
        return Draft(self._tails, self._clock())

    def _writing(self) -> sqlite3.Connection:
        if self._connection is None:
            raise LogError(f"{self.path}: the log is closed")
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection inside one transaction; all of it is stored, or none and LogError."""
        connection = self._writing()
        try:
            if connection.in_transaction:  # a rollback failed, as on a disk that was gone for a while
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._stale = True
            with suppress(sqlite3.Error):  # the first error is the one to tell; the next transaction tries again
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise schema.log_error(error, self.path) from error
            raise
        self._bound_wal(connection)

    def _bound_wal(self, connection: sqlite3.Connection) -> None:
        """Start the WAL anew where it grew past its limit because readers kept it from being reused."""
        if time.monotonic() < self._reset_at:
            return
        self._reset_at = time.monotonic() + _RESET_EVERY_SECONDS
        try:
            if self._wal.stat().st_size >= schema.WAL_LIMIT_BYTES:
                schema.truncate_wal(connection)
        except (sqlite3.Error, OSError):
            # The commit before is stored: what fails here is tried again, and a lasting fault fails the next commit.
            self.checkpoint_failures += 1


def _open_tables(connection: sqlite3.Connection, path: Path, partitions: int) -> int:
    schema.create(connection, partitions)
    found = schema.count_partitions(connection)
    if found != partitions:
        raise LogError(f"{path}: has {found} partitions, not {partitions}; export it and import into a new store")
    return found


def _read_tails(connection: sqlite3.Connection) -> dict[Place, Tail]:
    rows = connection.execute("SELECT stream, partition, end, last FROM tails").fetchall()
    return {(Stream(stream.decode()), partition): Tail(end, last) for stream, partition, end, last in rows}


def _insert(connection: sqlite3.Connection, draft: Draft) -> None:
    for place, rows in draft.rows.items():
        if rows:
            connection.executemany(
                f"INSERT INTO {schema.table(*place)} VALUES (?, ?, ?, ?)",  # noqa: S608 - our names
                [(offset, ingestedtime, keep, body.decode()) for offset, ingestedtime, keep, body in rows],
            )
            tail = draft.tails[place]
            connection.execute(
                "UPDATE tails SET end = ?, last = ? WHERE stream = ? AND partition = ?",
                (tail.end, tail.last, place[0].value, place[1]),
            )


def _move(connection: sqlite3.Connection, cursors: Mapping[str, bytes | None]) -> None:
    kept = [(name, position) for name, position in cursors.items() if position is not None]
    gone = [(name,) for name, position in cursors.items() if position is None]
    connection.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", kept)
    connection.executemany("DELETE FROM cursors WHERE name = ?", gone)
