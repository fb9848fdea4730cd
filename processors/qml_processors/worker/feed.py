"""The feed of one partition: what was delivered and not yet taken, and the rule about gaps.

Offsets have legitimate holes (markers of transactions, retention, compaction), and an engine may drop
records in flight, also the same ones twice. So where the engine does not vouch for a hole, Kafka itself is asked what
comes first: a record that lies in the hole was dropped, and the engine is sought back.
"""

import threading
from collections import deque
from collections.abc import Callable

from qml_processors.worker.delivery import Chunk, RawRecord

MAX_RECORDS = 4000
MAX_BYTES = 4 * 1024 * 1024
"""A partition over either bound is full; at half of both it is resumed."""


class Feed:
    """Records of one partition in order, each once.

    `accept` is called from the engine's thread, all else from the main thread.

    Args:
        seek: asks the engine to deliver from an offset on, with an epoch.
        resume: tells the engine that there is room again.
        first: returns the first offset at or after one that Kafka holds, None: none; blocks.

    """

    def __init__(
        self, seek: Callable[[int, int], None], resume: Callable[[], None], first: Callable[[int], int | None]
    ) -> None:
        self._seek = seek
        self._resume = resume
        self._first = first
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._epoch = 0
        self._full = False
        self.records = 0
        self.size_bytes = 0
        self.reached = 0
        self.doubts = 0
        self.holes = 0
        self.believed = 0
        self.repeats = 0

    def begin(self, offset: int) -> None:
        """Want `offset` next, whatever came before."""
        with self._lock:
            self._epoch += 1
            self._clear()
        self.reached = offset
        self._seek(offset, self._epoch)

    def halt(self) -> None:
        """Take nothing any more, until the next `begin`."""
        with self._lock:
            self._epoch += 1
            self._clear()

    def accept(self, chunk: Chunk) -> bool:
        """Take a chunk in; False: there is no room for more now."""
        with self._lock:
            if chunk.epoch != self._epoch:
                return True
            self._chunks.append(chunk)
            self.records += len(chunk.records)
            self.size_bytes += chunk.size_bytes
            self._full = self.records >= MAX_RECORDS or self.size_bytes >= MAX_BYTES
            return not self._full

    def take(self, limit: int) -> list[RawRecord]:
        """Return up to `limit` records from the wanted offset on.

        Raises:
            LogError: Kafka was asked about a hole and failed.

        """
        taken: list[RawRecord] = []
        while len(taken) < limit:
            with self._lock:
                if not self._chunks:
                    break
                chunk = self._chunks.popleft()
                self.records -= len(chunk.records)
                self.size_bytes -= chunk.size_bytes
            rest = self._take(chunk, limit - len(taken), taken)
            if rest is None:
                break
            if rest:
                self._put_back(chunk, rest)
        with self._lock:
            resume = self._full and self.records <= MAX_RECORDS // 2 and self.size_bytes <= MAX_BYTES // 2
            if resume:
                self._full = False
        if resume:
            self._resume()
        return taken

    def _take(self, chunk: Chunk, room: int, taken: list[RawRecord]) -> int | None:
        """Add the wanted records of a chunk; return how many were left, None: records are missing."""
        records = chunk.records
        if chunk.start is not None:
            if chunk.start > self.reached and not self._believe(chunk.start):
                return None
            first = 0
            while first < len(records) and records[first].offset < self.reached:
                first += 1
            self.repeats += first
            part = records[first : first + room]
            taken += part
            left = len(records) - first - len(part)
            if part:
                self.holes += part[-1].offset - self.reached + 1 != len(part)
                self.reached = part[-1].offset + 1
            if not left:
                self.reached = max(self.reached, chunk.end)
            return left
        for index, record in enumerate(records):
            if record.offset < self.reached:
                self.repeats += 1
                continue
            if not room:
                return len(records) - index
            if record.offset > self.reached and not self._believe(record.offset):
                return None
            taken.append(record)
            room -= 1
            self.reached = record.offset + 1
        return 0

    def _believe(self, offset: int) -> bool:
        """Whether the hole before `offset` is real; else go back to what is wanted."""
        first = self._first(self.reached)
        if first is None or first < offset:
            self.doubts += 1
            self.begin(self.reached)
            return False
        self.holes += 1
        self.believed += 1
        self.reached = offset
        return True

    def _put_back(self, chunk: Chunk, left: int) -> None:
        rest = chunk.records[len(chunk.records) - left :]
        size = chunk.size_bytes * left // len(chunk.records)
        with self._lock:
            if chunk.epoch != self._epoch:
                return
            start = None if chunk.start is None else self.reached
            self._chunks.appendleft(Chunk(chunk.partition, chunk.epoch, start, chunk.end, rest, size))
            self.records += left
            self.size_bytes += size

    def _clear(self) -> None:
        self._chunks.clear()
        self.records = self.size_bytes = 0
        self._full = False
