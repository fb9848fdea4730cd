"""What the follower must not forget: how far it read the log, and the jobs that it follows.

A small SQLite file beside the log, held by one process at a time. Positions and jobs move together, after the events
are in the spool: a crash in between tells something again, under the same ids.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from qml_producers.following.followed import FollowedJob
from qml_producers.following.jobs import Jobs, Key
from quantum_mlops.errors import LogError, LogLockedError

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (partitionkey TEXT, job TEXT, data BLOB, over INTEGER,
    PRIMARY KEY (partitionkey, job)) WITHOUT ROWID;
"""
_LOG, _PROVIDERS = "log", "providers"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FollowedJob).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode


class FollowerStore:
    """The follower's file. Used from one thread; every method raises LogError where the disk fails.

    Raises:
        LogLockedError: another follower works here.
        LogError: it cannot be opened.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0.2)
        except (OSError, sqlite3.Error) as error:
            raise LogError(f"{path}: cannot be opened: {error}") from error
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")
        except sqlite3.Error as error:
            self._connection.close()
            if "locked" in str(error):
                text = "another follower works here: the daemon's ([follower] enabled), or a quantum-mlops follow"
                raise LogLockedError(f"{path}: {text}; stop it first") from error
            raise LogError(f"{path}: {error}") from error

    def settle(self, log_id: bytes | None, providers: Iterable[str]) -> None:
        """Forget everything where it is of another log; read anew where a provider came to be followed. Idempotent."""
        known = {str(name): bytes(value) for name, value in self._rows("SELECT name, value FROM facts")}
        followed = set(_decode_names(known[_PROVIDERS])) if _PROVIDERS in known else set()
        names = sorted(providers)
        with self._transaction():
            if log_id is not None:  # else a log so new that it has no id yet
                if known.get(_LOG, log_id) != log_id:
                    self._connection.execute("DELETE FROM positions")
                    self._connection.execute("DELETE FROM jobs")
                self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_LOG, log_id))
            if not followed.issuperset(names):
                self._connection.execute("DELETE FROM positions")
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_PROVIDERS, _encode(names)))

    def positions(self) -> dict[int, int]:
        """Return the offset of the next record to read, by partition."""
        return dict(self._rows("SELECT partition, next FROM positions"))

    def load(self, jobs: Jobs) -> None:
        """Give back the jobs of the providers that are followed.

        Raises:
            LogError: one was stored by a newer version that this one cannot read.

        """
        for partitionkey, name, data, over in self._rows(
            "SELECT partitionkey, job, data, over FROM jobs ORDER BY over"
        ):
            if over is not None:
                jobs.restore((partitionkey, name), over)
                continue
            try:
                jobs.restore((partitionkey, name), _decode(data))
            except msgspec.MsgspecError as error:
                raise LogError(f"{self._path}: job {name} is not readable: {error}; remove the file") from error

    def save(self, jobs: Jobs, keys: Iterable[Key], positions: Mapping[int, int]) -> None:
        """Store jobs and positions, in one transaction."""
        with self._transaction():
            for key in keys:
                job, over = jobs.get(key), jobs.over.get(key)
                if job is None and over is None:
                    self._connection.execute("DELETE FROM jobs WHERE partitionkey = ? AND job = ?", key)
                    continue
                row = (*key, None if job is None else _encode(job), over if job is None else None)
                self._connection.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", row)
            for place in positions.items():
                self._connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", place)

    def close(self) -> None:
        """Release the file; idempotent."""
        self._connection.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection, self._path)

    def _rows(self, sql: str, values: tuple[str, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {error}") from error


class _Transaction:
    """All of it or nothing; an error of SQLite becomes a LogError."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def __enter__(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {error}") from error

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            self._connection.execute("ROLLBACK" if error else "COMMIT")
        except sqlite3.Error as fault:
            raise LogError(f"{self._path}: {fault}") from fault
        if isinstance(error, sqlite3.Error):
            raise LogError(f"{self._path}: {error}") from error
