"""The records of several streams and partitions as one: in the order in which they came into the log."""

from collections import deque
from collections.abc import Iterable, Mapping

from qml_daemon.history import LogReader
from quantum_mlops.transports.base import Record, Stream

CHUNK = 500
STREAMS = (Stream.EVENTS, Stream.FINDINGS, Stream.SUMMARIES)
Place = tuple[Stream, int]


class Feed:
    """Reads on from `positions`; `removed` counts offsets that retention took before they were read."""

    def __init__(self, reader: LogReader, positions: Mapping[Place, int]) -> None:
        self._reader = reader
        places = [(stream, partition) for stream in STREAMS for partition in range(reader.partitions)]
        self.next = {place: positions.get(place, 0) for place in places}
        self.removed = 0
        self._ready: dict[Place, deque[Record]] = {place: deque() for place in places}
        for stream, partition in places:
            start, known = reader.start(stream, partition), positions.get((stream, partition))
            if known is not None and known < start:
                self.removed += start - known

    def take(self, limit: int) -> Iterable[tuple[Place, Record]]:
        """Yield up to `limit` records, the one ingested first first; less where the log has no more now.

        Raises:
            LogError: the log cannot be read.

        """
        asked = set()
        for _ in range(limit):
            best: Place | None = None
            for place, ready in self._ready.items():
                if not ready and (place in asked or not self._refill(place, ready)):
                    asked.add(place)
                    continue
                if best is None or ready[0].ingestedtime < self._ready[best][0].ingestedtime:
                    best = place
            if best is None:
                return
            record = self._ready[best].popleft()
            yield best, record

    def lag(self, positions: Mapping[Place, int]) -> int:
        """Return how many records of the log are not below `positions` yet.

        Raises:
            LogError: the log cannot be read.

        """
        return sum(max(0, self._reader.end(*place) - positions[place]) for place in self.next)

    def _refill(self, place: Place, ready: deque[Record]) -> bool:
        records = self._reader.read(*place, self.next[place], CHUNK)
        if records:
            ready.extend(records)
            self.next[place] = records[-1].offset + 1
        return bool(records)
