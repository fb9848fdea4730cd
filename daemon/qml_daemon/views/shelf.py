"""The rows of one table while the projector works on them: read once, changed in memory, written in one go."""

import sqlite3
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from qml_daemon.views.schema import Table


class Row(Protocol):
    """What every row of the views has."""

    project: str
    seen: int
    changed: int

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The values of the table's columns."""
        ...


R = TypeVar("R", bound=Row)
Key = tuple[str, str]
GENERATION = 500
"""After so many writes a row that was not asked for since leaves memory."""


class _Entry(Struct, Generic[R]):
    row: R
    seq: int
    stored: tuple[str | None, ...] | None


class Shelf(Generic[R]):
    """One table. Keys are (project, id). One thread at a time.

    Memory holds two generations of rows. Those asked for are in the newer one; from time to time, or when it has
    half of `most_cached`, the older one goes. So what has ended does not stay, and what is in use is not read again.
    """

    def __init__(self, connection: sqlite3.Connection, table: Table, kind: type[R]) -> None:
        self._connection = connection
        self._table = table
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._entries: dict[Key, _Entry[R]] = {}
        self._older: dict[Key, _Entry[R]] = {}
        self._age = 0
        self._touched: dict[Key, _Entry[R]] = {}
        self._find = f"SELECT seq, body FROM {table.name} WHERE id = ? AND project = ?"  # noqa: S608 - our names
        marks = ", ".join("?" * (6 + len(table.columns)))
        self._insert = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608 - our names
        named = "".join(f" {column} = ?," for column in table.columns)
        self._update = f"UPDATE {table.name} SET changed = ?, body = ? WHERE seq = ?"  # noqa: S608 - our names
        self._move = f"UPDATE {table.name} SET{named} changed = ?, body = ? WHERE seq = ?"
        self._next = self._last_seq() + 1

    def find(self, key: Key) -> R | None:
        """Return the row to change, or None where there is none yet."""
        entry = self._touched.get(key)
        if entry is None:
            entry = self._entries.get(key) or self._older.pop(key, None) or self._load(key)
            if entry is None:
                return None
            self._entries[key] = self._touched[key] = entry
        return entry.row

    def add(self, key: Key, row: R) -> R:
        """Put a new row on the shelf."""
        self._entries[key] = self._touched[key] = _Entry(row, self._next, None)
        self._next += 1
        return row

    def seq(self, key: Key) -> int:
        """Return the number of a row that was found or added."""
        return self._entries[key].seq

    def flush(self) -> list[R]:
        """Write what was touched; return the rows that are new or whose columns changed."""
        new: list[tuple[Any, ...]] = []
        same: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        news: list[R] = []
        for (project, name), entry in self._touched.items():
            row, columns = entry.row, entry.row.columns
            body = self._encode(row)
            if entry.stored is None:
                new.append((entry.seq, name, project, row.seen, row.changed, *columns, body))
            elif entry.stored == columns:
                same.append((row.changed, body, entry.seq))
                continue
            else:
                moved.append((*columns, row.changed, body, entry.seq))
            entry.stored = columns
            news.append(row)
        self._connection.executemany(self._insert, new)
        self._connection.executemany(self._update, same)
        self._connection.executemany(self._move, moved)
        self._touched.clear()
        self._age += 1
        if self._age > GENERATION or 2 * len(self._entries) > self._table.most_cached:
            self._older, self._entries, self._age = self._entries, {}, 0
        return news

    def forget(self) -> None:
        """Drop what is in memory: the transaction failed, or rows were removed."""
        self._entries.clear()
        self._older.clear()
        self._touched.clear()
        self._next = self._last_seq() + 1

    def _last_seq(self) -> int:
        sql = f"SELECT coalesce(max(seq), 0) FROM {self._table.name}"  # noqa: S608 - our names
        return int(self._connection.execute(sql).fetchone()[0])

    def _load(self, key: Key) -> _Entry[R] | None:
        found = self._connection.execute(self._find, (key[1], key[0])).fetchone()
        if found is None:
            return None
        row = self._decode(found[1])
        return _Entry(row, found[0], row.columns)
