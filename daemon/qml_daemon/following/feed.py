"""The events of all partitions, read on from where the follower was."""

from collections.abc import Callable, Mapping

from qml_daemon.history import LogReader
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream

BATCH = 500
ROUNDS = 20


class EventFeed:
    """Reads the events stream. `removed` counts offsets that retention took before they were read.

    A position beyond the end is of a log before its restore: that partition is read from its start.
    """

    def __init__(self, reader: LogReader, positions: Mapping[int, int]) -> None:
        self._reader = reader
        self.removed = 0
        self.next: dict[int, int] = {}
        for partition in range(reader.partitions):
            start, known = reader.start(Stream.EVENTS, partition), positions.get(partition)
            if known is None or known > reader.end(Stream.EVENTS, partition):
                known = start
            self.removed += max(0, start - known)
            self.next[partition] = max(start, known)

    def read(self, take: Callable[[Event, int], None]) -> bool:
        """Show each new event with the log's time of it, up to some 10,000 a partition; return whether that was all.

        Raises:
            LogError: the log cannot be read.

        """
        whole = True
        for partition in self.next:
            for _ in range(ROUNDS):
                records = self._reader.read(Stream.EVENTS, partition, self.next[partition], BATCH)
                for record in records:
                    if isinstance(record.event, Event):
                        take(record.event, record.ingestedtime)
                if records:
                    self.next[partition] = records[-1].offset + 1
                if len(records) < BATCH:
                    break
            else:
                whole = False
        return whole

    def behind(self) -> int:
        """Return how many records have not been read.

        Raises:
            LogError: the log cannot be read.

        """
        return sum(max(0, self._reader.end(Stream.EVENTS, one) - at) for one, at in self.next.items())
