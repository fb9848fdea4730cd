"""Which events were counted: an event that a sender repeats is shown once, as in the findings.

The rules are the runner's own (`qml_processors.runner.duplicates`); this keeps them in the views' file.
"""

import sqlite3

import msgspec

from qml_processors.runner.duplicates import CountedSource, ForeignSource, Source, is_counted
from quantum_mlops.events import Event

_EVERY = 4096


class SeenSources:
    """Remembers by (partition key, source). One thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sources: dict[tuple[str, str], Source] = {}
        self._touched: dict[tuple[str, str], Source] = {}
        self._flushes = 0
        self.load()

    def is_new(self, event: Event, now: int) -> bool:
        """Remember the event; False where it was seen before."""
        key = (event.partitionkey, event.source)
        source = self._touched.get(key)
        if source is None:
            source = self._sources.get(key)
            if source is None:
                counted = is_counted(event.source, event.id)
                source = self._sources[key] = CountedSource(key) if counted else ForeignSource(key)
            self._touched[key] = source
        try:
            return source.add(event.id, now)
        except ValueError:
            return True  # a counted source that also sends an id that is no counter: nothing to compare it with

    def flush(self, now: int) -> None:
        """Write what changed; now and then remove what is forgotten."""
        rows = [
            (*key, source.kind, source.last, msgspec.msgpack.encode(source.content()))
            for key, source in self._touched.items()
        ]
        self._connection.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", rows)
        self._touched.clear()
        self._flushes += 1
        if self._flushes % _EVERY == 0:
            gone = [key for key, source in self._sources.items() if source.expired(now)]
            self._connection.executemany("DELETE FROM sources WHERE partitionkey = ? AND source = ?", gone)
            for key in gone:
                del self._sources[key]

    def load(self) -> None:
        """Take what the file holds, in place of what is in memory."""
        self._sources.clear()
        self._touched.clear()
        rows = self._connection.execute("SELECT partitionkey, source, kind, last, content FROM sources")
        for partitionkey, name, kind, last, content in rows:
            key = (partitionkey, name)
            counted, found = CountedSource(key), ForeignSource(key)
            if kind == CountedSource.kind:
                counted.restore(msgspec.msgpack.decode(content, type=list[int]))
                counted.last, self._sources[key] = last, counted
            else:
                found.restore(msgspec.msgpack.decode(content, type=list[tuple[str, int]]))
                found.last, self._sources[key] = last, found
