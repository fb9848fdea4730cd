"""A log in memory: the same rules as every log, gone with the process. For tests and short-lived runs."""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Checkpoint, Commit, DeadLetter, Record, Retained, Stream
from quantum_mlops.transports.partitioning import partition_of
from quantum_mlops.transports.retention import STEP_ROWS, read_positions
from quantum_mlops.transports.rows import Draft, Place, Row, Tail, read_row, split, split_letters


class MemoryLog:
    """A `Log` in memory. Never blocks on IO; a lock makes every method safe from any thread.

    >>> from quantum_mlops.events import Tick, type_name
    >>> log = MemoryLog()
    >>> log.append([Event(id="1", source="s", type=type_name("tick"), time=0, partitionkey="iris", data=Tick())])
    >>> log.read(Stream.EVENTS, 0, 0, 10)[0].event.id
    '1'
    """

    def __init__(self, partitions: int = 1, clock: Clock = system_clock) -> None:
        self.partitions = partitions
        self._clock = clock
        self._lock = threading.Lock()
        places = [(stream, partition) for stream in Stream for partition in range(partitions)]
        self._rows: dict[Place, list[Row]] = {place: [] for place in places}
        self._tails: dict[Place, Tail] = dict.fromkeys(places, Tail())
        self._size_bytes = 0
        self._cursors: dict[str, bytes] = {}
        self._checkpoints = [Checkpoint()] * partitions
        self._replay_starts = [0] * partitions

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
        with self._lock:
            draft = Draft(self._tails, self._clock())
            for index, part in split(events, self.partitions, partition).items():
                draft.add_events((Stream.EVENTS, index), part)
            for index, letters in split_letters(dead_letters).items():
                draft.add_letters(index, letters)
            self._store(draft)
            self._move(cursors or {})

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        with self._lock:
            rows = self._at(stream, partition)
            first = bisect_left(rows, offset, key=_offset)
            found = rows[first : first + limit]
        return [read_row(stream, at, time, body) for at, time, _, body in found]

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        self._at(stream, partition)
        return self._tails[stream, partition].end

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        with self._lock:
            rows = self._at(stream, partition)
            return rows[0][0] if rows else self._tails[stream, partition].end

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`."""
        with self._lock:
            draft = Draft(self._tails, self._clock())
            draft.add_events((Stream.FINDINGS, partition), commit.findings)
            draft.add_events((Stream.SUMMARIES, partition), commit.summaries)
            draft.add_letters(partition, commit.dead_letters)
            for index, part in split(commit.forwards, self.partitions, None).items():
                draft.add_events((Stream.EVENTS, index), part)
            rows = dict(self._checkpoints[partition].rows)
            for key, value in commit.rows.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
            self._store(draft)
            self._checkpoints[partition] = Checkpoint(watermark=commit.watermark, rows=rows)
            self._replay_starts[partition] = commit.replay_start

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        self._at(Stream.EVENTS, partition)
        return self._checkpoints[partition]

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        return self._cursors.get(name)

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        with self._lock:
            return {name: position for name, position in self._cursors.items() if name.startswith(prefix)}

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        with self._lock:
            self._move(cursors)

    def retain(self, *, older_than: int, max_bytes: int, readers: Iterable[str] = ()) -> Retained:
        """See `Log.retain`."""
        removed: dict[str, int] = {}
        positions = read_positions(self._cursors, readers)
        unread = 0
        with self._lock:
            while sum(removed.values()) < STEP_ROWS:
                oldest = self._oldest()
                if oldest is None:
                    return Retained(removed=removed, unread=unread)
                place, index = oldest
                offset, time, _, body = self._rows[place][index]
                if time >= older_than and self._size_bytes <= max_bytes:
                    return Retained(removed=removed, unread=unread)
                del self._rows[place][index]
                self._size_bytes -= len(body)
                removed[place[0].value] = removed.get(place[0].value, 0) + 1
                unread += offset >= positions.get(place, offset + 1)
        return Retained(removed=removed, unread=unread, complete=False)

    def close(self) -> None:
        """See `Log.close`."""

    def _at(self, stream: Stream, partition: int) -> list[Row]:
        if (stream, partition) not in self._rows:
            raise LogError(f"this log has no partition {partition}")
        return self._rows[stream, partition]

    def _store(self, draft: Draft) -> None:
        for place, rows in draft.rows.items():
            self._rows[place].extend(rows)
            self._size_bytes += sum(len(row[3]) for row in rows)
        self._tails.update(draft.tails)

    def _move(self, cursors: Mapping[str, bytes | None]) -> None:
        for name, position in cursors.items():
            if position is None:
                self._cursors.pop(name, None)
            else:
                self._cursors[name] = position

    def _oldest(self) -> tuple[Place, int] | None:
        """Return where the oldest removable row lies, and its index there."""
        best: tuple[int, Place, int] | None = None
        for place, rows in self._rows.items():
            limit = self._replay_starts[place[1]] if place[0] is Stream.EVENTS else self._tails[place].end
            index = next((index for index, row in enumerate(rows) if not row[2]), None)
            if index is None or rows[index][0] >= limit:
                continue
            if best is None or rows[index][1] < best[0]:
                best = (rows[index][1], place, index)
        return None if best is None else best[1:]


def _offset(row: Row) -> int:
    return row[0]
