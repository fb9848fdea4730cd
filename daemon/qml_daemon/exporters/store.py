"""What an exporter must not forget: how far it has read, and which runs of the other system are whose.

A small SQLite file beside the log, held by one process at a time. Positions move only behind what has
arrived, so losing the last of them costs sending some records twice, never one.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantum_mlops.errors import LogError, LogLockedError
from quantum_mlops.transports.base import Stream

KEPT_RUNS = 20_000
Place = tuple[Stream, int]

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (stream TEXT, partition INTEGER, next INTEGER NOT NULL,
    PRIMARY KEY (stream, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL, name TEXT NOT NULL, asked TEXT NOT NULL, found TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_name ON runs (project, name);
"""


class ExporterStore:
    """The file of one exporter. Used from one thread; every method raises LogError where the disk fails.

    Raises:
        LogLockedError: another process holds it.
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
                raise LogLockedError(f"{path}: another exporter works here; stop it, or the daemon, first") from error
            raise LogError(f"{path}: {error}") from error

    def settle(self, log_id: bytes | None, address: str) -> None:
        """Forget the positions of another log, and the runs of another address. Idempotent."""
        for name, value, table in (("log", log_id, "positions"), ("address", address.encode(), "runs")):
            if value is None:  # a log so new that it has no id yet
                continue
            if self._fact(name) not in (None, value):
                self._do(f"DELETE FROM {table}")  # noqa: S608 - our names
            self._do("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def positions(self) -> dict[Place, int]:
        """Return the offset of the next record to read, by place."""
        rows = self._do("SELECT stream, partition, next FROM positions")
        return {(Stream(stream), partition): offset for stream, partition, offset in rows}

    def move(self, positions: Mapping[Place, int]) -> None:
        """Store positions, durably, in one transaction."""
        self._do("BEGIN")
        try:
            for (stream, partition), offset in positions.items():
                self._do("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", (stream.value, partition, offset))
        finally:
            self._do("COMMIT")

    def find(self, key: str) -> str | None:
        """Return the other system's id of the run of that key, or None."""
        rows = self._do("SELECT found FROM runs WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def find_asked(self, project: str, name: str) -> str | None:
        """Return the id that the user's own events named last for a run, `""` if none, None for an unknown run."""
        sql = "SELECT asked FROM runs WHERE project = ? AND name = ? ORDER BY asked = '', number DESC LIMIT 1"
        rows = self._do(sql, (project, name))
        return str(rows[0][0]) if rows else None

    def keep(self, key: str, run: tuple[str, str, str, str]) -> None:
        """Store (project, name, asked, found) of a run; the oldest beyond 20,000 are forgotten."""
        self._do("INSERT OR REPLACE INTO runs (key, project, name, asked, found) VALUES (?, ?, ?, ?, ?)", (key, *run))
        self._do("DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?", (KEPT_RUNS,))

    def forget(self, key: str) -> None:
        """Forget a run; idempotent."""
        self._do("DELETE FROM runs WHERE key = ?", (key,))

    def close(self) -> None:
        """Release the file; idempotent."""
        self._connection.close()

    def _fact(self, name: str) -> bytes | None:
        rows = self._do("SELECT value FROM facts WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def _do(self, sql: str, values: tuple[str | int | bytes, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {error}") from error
