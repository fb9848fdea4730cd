"""Reading the views: from any thread and process, with the daemon running or not."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from qml_daemon.views.schema import Table, connect_reader, is_current
from quantum_mlops.errors import LogError
from quantum_mlops.transports.schema import log_error

_CACHE_KIBIBYTES = 1024
_DRIVERS = ({"run"}, {"rule"}, {"status"}, {"backend", "project"}, {"backend"}, {"project"})
_COMMON = {"completed", "resolved", "notice"}
_LEAST, _MOST = -(2**63), 2**63 - 1


class Place(Struct, frozen=True):
    """Where a page ended: the row's first time and its number."""

    seen: int
    seq: int


class Window(Struct, frozen=True, kw_only=True):
    """Rows first seen at or after `since` and before `until` (the log's ns), after `place` in the list.

    `but_not` are values of columns that they must not have.
    """

    since: int | None = None
    until: int | None = None
    place: Place | None = None
    limit: int = 100
    but_not: Mapping[str, str] = {}


class ViewReader:
    """The reading half. Thread-safe; connections are lent, so there are as many as questions at one time.

    Raises:
        LogError: from the constructor, there are no views of this version; from the methods, the file failed.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        with self._borrow() as connection:
            if not is_current(connection):
                raise LogError(f"{path}: views of another version; start the daemon once to make them anew")
            self.birth = str(connection.execute("SELECT birth FROM origin").fetchone()[0])

    def page(self, table: Table, filters: Mapping[str, str], window: Window) -> list[tuple[Place, bytes]]:
        """Return up to `limit` rows, the newest first, each with its place. `filters` are exact, by column."""
        driver = _driver(filters)
        clauses = [f"{'' if column in driver else '+'}{column} = ?" for column in filters]
        values: list[str | int] = list(filters.values())
        for column, value in window.but_not.items():
            clauses.append(f"{column} IS NOT ?")
            values.append(value)
        for clause, time in (("seen >= ?", window.since), ("seen < ?", window.until)):
            if time is not None:
                clauses.append(clause)
                values.append(min(max(time, _LEAST), _MOST))
        if window.place is not None:
            clauses.append("(seen, seq) < (?, ?)")
            values += [window.place.seen, window.place.seq]
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        sql = f"SELECT seen, seq, body FROM {table.name}{where} ORDER BY seen DESC, seq DESC LIMIT ?"  # noqa: S608 - our names
        with self._borrow() as connection:
            rows = connection.execute(sql, (*values, window.limit)).fetchall()
        return [(Place(seen, seq), body) for seen, seq, body in rows]

    def count(self, table: Table, filters: Mapping[str, str]) -> int:
        """Return how many rows there are. `filters` are exact, by column."""
        clauses = " AND ".join(f"{column} = ?" for column in filters)
        sql = f"SELECT COUNT(*) FROM {table.name}{' WHERE ' if clauses else ''}{clauses}"  # noqa: S608 - our names
        with self._borrow() as connection:
            return int(connection.execute(sql, tuple(filters.values())).fetchone()[0])

    def find(self, table: Table, name: str, project: str | None) -> list[tuple[int, bytes]]:
        """Return (number, body) of the rows with this id, of one project or of at most two."""
        sql = f"SELECT seq, body FROM {table.name} WHERE id = ?"  # noqa: S608 - our names
        values = [name]
        if project is not None:
            sql, values = f"{sql} AND project = ?", [name, project]
        with self._borrow() as connection:
            return connection.execute(f"{sql} LIMIT 2", values).fetchall()

    def points(self, seq: int) -> list[tuple[int, int | None, float]]:
        """Return (time ns, step, value) of a series in the order in which they came."""
        sql = "SELECT time, step, value FROM points WHERE series = ? ORDER BY number"
        with self._borrow() as connection:
            return connection.execute(sql, (seq,)).fetchall()

    def close(self) -> None:
        """Release all connections; idempotent."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _borrow(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            with self._lock:
                if self._closed:
                    raise LogError(f"{self.path}: the views are closed")
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = connect_reader(self.path)
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            yield connection
        except sqlite3.Error as error:
            raise log_error(error, self.path) from error
        finally:
            if connection is not None:
                with self._lock:
                    if self._closed:
                        connection.close()
                    else:
                        self._idle.append(connection)


def _driver(filters: Mapping[str, str]) -> set[str]:
    """Return the columns whose index finds the fewest rows; SQLite, without statistics of values, would guess.

    >>> _driver({"project": "iris", "status": "failed"}), _driver({"project": "iris", "status": "completed"})
    ({'status'}, {'project'})
    """
    for columns in _DRIVERS:
        if columns <= filters.keys() and not (columns == {"status"} and filters["status"] in _COMMON):
            return columns
    return set(filters)
