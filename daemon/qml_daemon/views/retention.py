"""What leaves the views: rows that nothing changed for as long as the log keeps records, and rows over the bound.

A little at a time, in the transaction of a batch, so that a batch never takes long for it.
"""

import sqlite3

from qml_daemon.views.schema import FINDINGS, SERIES, TABLES, Table
from quantum_mlops.clock import MINUTE

PERIOD = MINUTE
_SLICE_ROWS = 500
_LOOK_AT = 5000
_OPEN = "firing"


class Pruning:
    """Removes in slices. `step` is cheap while nothing is due.

    Times are the log's, so a rebuilt view keeps the same rows.
    """

    def __init__(self, connection: sqlite3.Connection, retention_ns: int) -> None:
        self._connection = connection
        self._retention = retention_ns
        self._next = 0
        self.recount()

    def recount(self) -> None:
        """Begin anew, after a failed transaction."""
        self._next = 0

    def step(self, now: int) -> bool:
        """Remove one slice of each table if it is time; return whether rows went."""
        if now < self._next:
            return False
        removed = 0
        for table in TABLES:
            removed += self._prune(table, now)
        # Come back at once while there is more.
        self._next = now if removed >= _SLICE_ROWS else now + PERIOD
        return removed > 0

    def _prune(self, table: Table, now: int) -> int:
        spared = f" AND status IS NOT '{_OPEN}'" if table == FINDINGS else ""
        cut = now - self._retention
        # Old ones by their first record, of those the ones that nothing touched since.
        sql = (
            f"SELECT seq FROM (SELECT seq, changed{', status' if spared else ''} FROM {table.name}"  # noqa: S608 - our names
            f" WHERE seen < ? ORDER BY seen LIMIT {_LOOK_AT}) WHERE changed < ?{spared} LIMIT {_SLICE_ROWS}"
        )
        gone = self._connection.execute(sql, (cut, cut)).fetchall()
        over = self._count(table) - len(gone) - table.most_rows
        if over > 0:
            sql = f"SELECT seq FROM {table.name} WHERE 1{spared} ORDER BY seen LIMIT ?"  # noqa: S608 - our names
            gone = list({*gone, *self._connection.execute(sql, (min(over, _SLICE_ROWS),)).fetchall()})
        self._connection.executemany(f"DELETE FROM {table.name} WHERE seq = ?", gone)  # noqa: S608 - our names
        if table == SERIES:
            self._connection.executemany("DELETE FROM points WHERE series = ?", gone)
        return len(gone)

    def _count(self, table: Table) -> int:
        """Return how many rows there are at most: from the first number to the last, holes counted as rows."""
        sql = f"SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM {table.name}"  # noqa: S608 - our names
        return int(self._connection.execute(sql).fetchone()[0])
