"""The outbox file: alerts, groups, positions and waiting notifications, moved in one transaction.

A SQLite file of its own beside the log, because each file has one writer. What the dispatcher read,
what it decided and what is still to be sent are never apart, so a crash forgets nothing and a clean
restart sends nothing twice.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from quantum_mlops.errors import LogError
from quantum_mlops.transports.schema import log_error
from quantum_mlops.transports.upgrade import upgrade

VERSION = 1
MIGRATIONS: dict[int, str] = {}
"""SQL from each older version to the next."""
APPLICATION_ID = 0x514D4C58  # "QMLX"
Outcome = Literal["sent", "failed"]
Table = Literal["alerts", "groups", "silences"]
_SYNCHRONOUS = {"normal": "NORMAL", "power-loss": "FULL"}

_TABLES = """
CREATE TABLE positions (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL);
CREATE TABLE alerts (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE members (grp TEXT, alert TEXT, told INTEGER NOT NULL, PRIMARY KEY (grp, alert)) WITHOUT ROWID;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, receiver TEXT NOT NULL, kind TEXT NOT NULL,
    created INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL DEFAULT 0, settled INTEGER, error TEXT, body BLOB NOT NULL);
CREATE INDEX outbox_waiting ON outbox (number) WHERE status = 'waiting';
"""


class Waiting(Struct, frozen=True):
    """A notification in the outbox that is neither sent nor given up. Times in ns."""

    number: int
    receiver: str
    kind: str
    created: int
    attempts: int
    next_attempt: int


_S = TypeVar("_S", bound=Struct)


class OutboxStore:
    """The file. One thread at a time. Changes happen inside `transaction()` only.

    Args:
        path: the file, or None for one in memory (with a log in memory).
        durability: as the log's: "normal" survives the death of the process, "power-loss" that of the machine.

    Raises:
        LogError: the file cannot be opened or is damaged; LogVersionError: it is newer than this program.

    """

    def __init__(self, path: Path | None, durability: Literal["normal", "power-loss"] = "normal") -> None:
        self.path = path or Path(":memory:")
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not path.exists():
                    path.touch(mode=0o600)
            self._connection = connect(path, "rw")
        except OSError as error:
            raise LogError(f"{self.path}: cannot open the outbox: {error.strerror}") from error
        try:
            self._set_up(_SYNCHRONOUS[durability])
        except sqlite3.Error as error:
            self._connection.close()
            raise log_error(error, self.path) from error
        except LogError:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside becomes durable together or not at all.

        Raises:
            LogError: the file failed; nothing of the transaction is stored.

        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise log_error(error, self.path) from error
            raise

    def read_positions(self) -> dict[int, int]:
        """Return the next offset of the findings stream by partition."""
        return dict(self._ask("SELECT partition, offset FROM positions"))

    def read_all(self, table: Table, kind: type[_S]) -> list[_S]:
        """Return all alerts, groups or silences."""
        rows = self._ask(f"SELECT body FROM {table} ORDER BY key")  # noqa: S608 - our names
        return [msgspec.msgpack.decode(body, type=kind) for (body,) in rows]

    def read_members(self) -> list[tuple[str, str, int]]:
        """Return (group, alert, told) of every membership."""
        return self._ask("SELECT grp, alert, told FROM members ORDER BY grp, alert")

    def read_waiting(self) -> list[Waiting]:
        """Return what waits, the oldest first, without the contents."""
        return [
            Waiting(*row)
            for row in self._ask(
                "SELECT number, receiver, kind, created, attempts, next_attempt FROM outbox"
                " WHERE status = 'waiting' ORDER BY number"
            )
        ]

    def read_bodies(self, numbers: Sequence[int]) -> list[bytes]:
        """Return the contents of these notifications, in the order of their numbers."""
        marks = ",".join("?" * len(numbers))
        return [
            row[0]
            for row in self._ask(f"SELECT body FROM outbox WHERE number IN ({marks}) ORDER BY number", numbers)  # noqa: S608 - question marks
        ]

    def read_origin(self) -> bytes | None:
        """Return the id of the log that all this comes from, or None where it is not known."""
        rows = self._ask("SELECT log FROM origin")
        return bytes(rows[0][0]) if rows else None

    def put_origin(self, log: bytes) -> None:
        """Set the id of the log."""
        self._connection.execute("INSERT OR REPLACE INTO origin (number, log) VALUES (0, ?)", (log,))

    def move(self, partition: int, offset: int) -> None:
        """Set the position in the findings stream."""
        self._connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (partition, offset))

    def put(self, table: Table, key: str, body: Struct) -> None:
        """Store an alert, a group or a silence."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",  # noqa: S608 - our names
            (key, msgspec.msgpack.encode(body)),
        )

    def remove(self, table: Table, key: str) -> None:
        """Remove an alert, a silence, or a group with its memberships."""
        self._connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - our names
        if table == "groups":
            self._connection.execute("DELETE FROM members WHERE grp = ?", (key,))

    def put_member(self, group: str, alert: str, *, told: bool) -> None:
        """Store a membership."""
        self._connection.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", (group, alert, told))

    def remove_member(self, group: str, alert: str) -> None:
        """Remove a membership."""
        self._connection.execute("DELETE FROM members WHERE grp = ? AND alert = ?", (group, alert))

    def clear(self) -> None:
        """Forget alerts, groups and positions; the outbox stays."""
        for table in ("alerts", "groups", "members", "positions"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our names

    def read_cursors(self, prefix: str) -> dict[str, bytes]:
        """Return the named positions that are kept here (with a log on Kafka) and whose names start with `prefix`."""
        sql = "SELECT name, position FROM cursors WHERE substr(name, 1, length(?)) = ?"
        return {name: bytes(position) for name, position in self._ask(sql, (prefix, prefix))}

    def put_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """Set named positions; None forgets one."""
        for name, position in cursors.items():
            if position is None:
                self._connection.execute("DELETE FROM cursors WHERE name = ?", (name,))
            else:
                self._connection.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (name, position))

    def add(self, name: str, receiver: str, kind: str, created: int, body: Struct) -> int:
        """Put a notification into the outbox and return its number; `name` is its stable id."""
        done = self._connection.execute(
            "INSERT INTO outbox (id, receiver, kind, created, body) VALUES (?, ?, ?, ?, ?)",
            (name, receiver, kind, created, msgspec.msgpack.encode(body)),
        )
        return int(done.lastrowid or 0)

    def settle(self, numbers: Iterable[int], outcome: Outcome, now: int, error: str | None) -> None:
        """Mark notifications as sent, or as given up with the reason."""
        self._connection.executemany(
            "UPDATE outbox SET status = ?, attempts = attempts + 1, settled = ?, error = ? WHERE number = ?",
            [(outcome, now, error, number) for number in numbers],
        )

    def defer(self, numbers: Iterable[int], next_attempt: int, error: str) -> None:
        """Note a failed attempt and when the next one is due (ns)."""
        self._connection.executemany(
            "UPDATE outbox SET attempts = attempts + 1, next_attempt = ?, error = ? WHERE number = ?",
            [(next_attempt, error, number) for number in numbers],
        )

    def prune(self, settled_before: int) -> int:
        """Remove notifications settled before that time (ns); return how many."""
        done = self._connection.execute("DELETE FROM outbox WHERE settled < ?", (settled_before,))
        return done.rowcount

    def close(self) -> None:
        """Release the file; idempotent."""
        self._connection.close()

    def _ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise log_error(error, self.path) from error

    def _set_up(self, synchronous: str) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if version and application != APPLICATION_ID:
            raise LogError(f"{self.path}: a SQLite database of another program; name another state folder")
        upgrade(self._connection, self.path, VERSION, MIGRATIONS)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        if not version:
            pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
            self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {pragmas} COMMIT;")
        # Not among the tables above: they came after the first files of this version.
        self._connection.execute("CREATE TABLE IF NOT EXISTS origin (number INTEGER PRIMARY KEY, log BLOB NOT NULL)")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS silences (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID"
        )
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID"
        )


def connect(path: Path | None, mode: Literal["rw", "ro"]) -> sqlite3.Connection:
    """Return a connection to an outbox file; `ro` can neither write nor checkpoint."""
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA cache_size = -256")  # what was sent is not read again
    connection.execute("PRAGMA busy_timeout = 2000")
    if mode == "ro":
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection
