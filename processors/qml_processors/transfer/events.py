"""The events of a source, each into the partition of its key, with the time at which its partition took it."""

from msgspec import Struct
from msgspec.structs import replace

from qml_processors.transfer.job import EVERYWHERE, Job
from qml_processors.transfer.merging import merge
from qml_processors.transfer.states import is_misplaced
from qml_processors.transfer.ticks import TickSieve
from qml_processors.transfer.writing import Pieces
from quantum_mlops.events import ConfigApplied, Event, Tick
from quantum_mlops.transports.base import Stream

WRITTEN = "transfer/events/"
_TELL_EVERY = 5000


class EventCounts(Struct):
    """`ticks_left_out` told nothing; `undecodable` lie in the dead letters, too."""

    events: int = 0
    ticks_left_out: int = 0
    undecodable: int = 0


class EventCarrier:
    """Carries the events. Its position goes with each piece, in one transaction."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._numbers = range(job.target.partitions)
        cursors = [job.target.cursor(f"{WRITTEN}{number}") for number in self._numbers]
        self._pieces = Pieces([int.from_bytes(cursor or b"", "big") for cursor in cursors], self._write)
        self._sieve = TickSieve()
        self._configs: set[tuple[str, str]] = set()
        self._last = [0] * job.target.partitions
        self.counts = EventCounts()

    def carry(self) -> EventCounts:
        """Write all that is not there yet."""
        job = self._job
        total = job.plan.records(Stream.EVENTS)
        for done, (now, partition, record) in enumerate(merge(job.source, Stream.EVENTS, job.plan)):
            if done % _TELL_EVERY == 0:
                job.tell("events", done, total)
            event = record.event
            if not isinstance(event, Event):
                self.counts.undecodable += not hasattr(event, "event")
            elif not is_misplaced(event, partition, job.plan.partitions):  # else it was sent on, and comes once more
                self._take(event if event.ingestedtime == now else replace(event, ingestedtime=now), now)
        if self._sieve.left is not None:
            self._end_with(*self._sieve.left)
        for event in job.gathered.misplaced:
            self._take(event, job.gathered.now)
        self._pieces.flush()
        job.tell("events", total, total)
        return self.counts

    def records(self) -> list[int]:
        """Return how many records of this transfer each partition of the target has."""
        return list(self._pieces.counts)

    def _take(self, event: Event, now: int) -> None:
        if event.partitionkey == EVERYWHERE and isinstance(event.data, Tick | ConfigApplied):
            if self._is_wanted(event, now):
                for number in self._numbers:
                    self._add(number, event, now)
        else:
            self.counts.events += 1
            self._add(self._job.target.partition_of(event.partitionkey), event, now)

    def _is_wanted(self, event: Event, now: int) -> bool:
        if isinstance(event.data, Tick):
            wanted = self._sieve.takes(event, now)
            self.counts.ticks_left_out += not wanted
            return wanted
        if event.key in self._configs:
            return False
        self._configs.add(event.key)
        return True

    def _add(self, number: int, event: Event, now: int) -> None:
        self._last[number] = now
        self._pieces.add(number, event)

    def _end_with(self, now: int, tick: Event) -> None:
        """Let the last tick end every partition in which nothing came after it."""
        for number in self._numbers:
            if self._last[number] <= now:
                self._add(number, replace(tick, ingestedtime=now), now)

    def _write(self, partition: int, events: list[Event], count: int) -> None:
        cursor = {f"{WRITTEN}{partition}": count.to_bytes(8, "big")}
        self._job.target.append(events, partition=partition, cursors=cursor)
