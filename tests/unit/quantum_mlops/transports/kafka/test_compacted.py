"""Compacted topics: what was deleted stays deleted, however slow the reader is."""

import asyncio
from typing import NamedTuple

import pytest

from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.cursors import CursorTable
from quantum_mlops.transports.kafka.fetch import Page
from quantum_mlops.transports.kafka.records import WATERMARK
from quantum_mlops.transports.kafka.state import StateReader
from quantum_mlops.transports.kafka.topics import COMPACTED_READ_SECONDS, Topics, wanted


class Row(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


class Broker:
    """One compacted partition, served `page` records at a time; `then` is called after each page."""

    def __init__(self, rows, page=1, then=lambda: None):
        self.rows = [Row(offset, key, value) for offset, (key, value) in enumerate(rows)]
        self.end = len(self.rows)
        self.page = page
        self.then = then
        self.asked = []

    def add(self, key, value):
        self.rows.append(Row(self.end, key, value))
        self.end += 1

    def compact(self):
        """Keep the last row of each key, and no tombstone: `delete.retention.ms` has passed."""
        last = {row.key: row for row in self.rows}
        self.rows = [row for row in self.rows if last[row.key] is row and row.value is not None]

    async def fetch(self, place, offset, max_bytes=0):
        self.asked.append(offset)
        if offset > self.end:
            return Page((), self.end, self.end)
        found = [row for row in self.rows if row.offset >= offset][: self.page]
        page = Page(found, found[-1].offset + 1 if found else self.end, self.end)
        self.then()
        return page


def test_a_reading_that_tombstones_may_have_outrun_is_given_up():
    now = [0.0]
    broker = Broker([(b"row", b"1"), (b"other", b"2"), (b"row", None), (WATERMARK, b"w")])

    def sleep():
        now[0] += COMPACTED_READ_SECONDS / 2 + 1
        broker.compact()

    slow = StateReader(broker, "state.v1", lambda: now[0])
    broker.then = sleep
    with pytest.raises(LogError, match="read it again"):
        asyncio.run(slow.read(0))
    broker.then = lambda: None
    found = asyncio.run(StateReader(broker, "state.v1", lambda: now[0]).read(0))
    assert (found.watermark, found.rows) == (b"w", {b"other": b"2"})


def test_tombstones_stay_longer_than_a_reading_may_take():
    topics = Topics("qml.")
    for name in (topics.state, topics.cursors):
        config = wanted(topics, 12)[name][1]
        assert float(config["delete.retention.ms"]) >= 2 * COMPACTED_READ_SECONDS * 1000


def test_cursors_are_read_on_from_where_they_were_read():
    broker = Broker([(b"a", b"1"), (b"b", b"1")], page=10)
    table = CursorTable(broker, "cursors.v1", lambda: 0.0)
    assert asyncio.run(table.refresh()) == {"a": b"1", "b": b"1"}
    broker.add(b"a", None)
    assert asyncio.run(table.refresh()) == {"b": b"1"}
    assert broker.asked == [0, 2]


def test_a_cursor_that_was_deleted_long_ago_is_not_kept():
    now = [0.0]
    broker = Broker([(b"runner/attempt/0", b"1"), (b"b", b"1")], page=10)
    table = CursorTable(broker, "cursors.v1", lambda: now[0])
    assert asyncio.run(table.refresh()) == {"runner/attempt/0": b"1", "b": b"1"}
    broker.add(b"runner/attempt/0", None)
    broker.compact()
    now[0] = COMPACTED_READ_SECONDS + 1
    assert asyncio.run(table.refresh()) == {"b": b"1"}


def test_cursors_of_a_topic_that_was_made_anew_are_its_own():
    broker = Broker([(b"a", b"1"), (b"b", b"1"), (b"c", b"1")], page=10)
    table = CursorTable(broker, "cursors.v1", lambda: 0.0)
    asyncio.run(table.refresh())
    table._fetcher = Broker([(b"z", b"9")], page=10)
    assert asyncio.run(table.refresh()) == {"z": b"9"}
