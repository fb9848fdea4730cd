"""Retention of the SQLite log in short transactions, so that appending never waits long for it."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from quantum_mlops.transports.base import Retained, Stream
from quantum_mlops.transports.retention import STEP_ROWS, read_positions
from quantum_mlops.transports.rows import Place
from quantum_mlops.transports.schema import table

_SLICE_ROWS = 500


def retain(
    transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
    *,
    older_than: int,
    max_bytes: int,
    readers: Iterable[str],
) -> Retained:
    """Remove slices of the oldest records until age and size hold, or the pass is at its bound.

    A slice is one transaction: the oldest 500 records of the stream that is furthest behind, and what the other
    streams hold of the same time. Raises LogError where the store fails; slices removed before stay removed.
    """
    names = tuple(readers)
    removed: dict[str, int] = {}
    unread = 0
    while (left := STEP_ROWS - sum(removed.values())) > 0:
        with transaction() as connection:
            slices = _oldest(connection, older_than, max_bytes, left)
            for place, offsets in slices.items():
                sql = f"DELETE FROM {table(*place)} WHERE offset = ?"  # noqa: S608 - our names
                connection.executemany(sql, ((at,) for at in offsets))
            found = connection.execute("SELECT name, position FROM cursors").fetchall()
        if not slices:
            return Retained(removed=removed, unread=unread)
        positions = read_positions({name.decode(): position for name, position in found}, names)
        for place, offsets in slices.items():
            removed[place[0].value] = removed.get(place[0].value, 0) + len(offsets)
            unread += sum(offset >= positions.get(place, offset + 1) for offset in offsets)
    return Retained(removed=removed, unread=unread, complete=False)


def _oldest(connection: sqlite3.Connection, older_than: int, max_bytes: int, limit: int) -> dict[Place, list[int]]:
    """Return the offsets to remove next, by place; empty where age and size hold."""
    candidates: dict[Place, list[tuple[int, int]]] = {}
    for partition, replay_start in connection.execute("SELECT partition, replay_start FROM partitions").fetchall():
        for stream in Stream:
            sql = f"SELECT offset, ingestedtime FROM {table(stream, partition)} WHERE NOT keep"  # noqa: S608 - our names
            if stream is Stream.EVENTS:
                sql += f" AND offset < {replay_start:d}"
            rows = connection.execute(f"{sql} ORDER BY offset LIMIT {_SLICE_ROWS}").fetchall()
            if rows:
                candidates[stream, partition] = rows
    if not candidates:
        return {}
    cut = older_than - 1
    if _used_bytes(connection) > max_bytes:
        cut = max(cut, min(rows[-1][1] for rows in candidates.values()))
    slices: dict[Place, list[int]] = {}
    for place, rows in candidates.items():
        offsets = [offset for offset, time in rows if time <= cut][:limit]
        if offsets:
            slices[place] = offsets
            limit -= len(offsets)
    return slices


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
