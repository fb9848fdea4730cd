"""The log in Kafka: the seam's blocking face over one IO thread.

Workers own partitions by transactions; the parts they use (`OwnedProducer`, `StateReader`) are the ones used here.
"""

import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Checkpoint, Commit, DeadLetter, Record, Retained, Stream
from quantum_mlops.transports.kafka.appender import Appender
from quantum_mlops.transports.kafka.cursors import CursorTable
from quantum_mlops.transports.kafka.fetch import EARLIEST, LATEST, Fetcher, Place, probe
from quantum_mlops.transports.kafka.loop import TIMEOUT_SECONDS, KafkaLoop
from quantum_mlops.transports.kafka.pages import Pages
from quantum_mlops.transports.kafka.records import decode_record, encode_row
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.shipment import pack_append, pack_commit
from quantum_mlops.transports.kafka.state import StateReader
from quantum_mlops.transports.kafka.topics import Topics, count_partitions
from quantum_mlops.transports.kafka.transaction import (
    Fault,
    OwnedProducer,
    Parcel,
    Producer,
    no_fault,
    owner_id,
)
from quantum_mlops.transports.partitioning import partition_of

_STEP_BACK = 8

T = TypeVar("T")


class KafkaLog:
    """A `Log` in Kafka. Blocks for a bounded time a call; methods may be called from any thread, one writing at a time.

    `checkpoint(partition)` takes the partition over: the process that committed to it before is fenced, and its
    next commit raises LogFencedError. After any error of `commit` the checkpoint must be read again.
    The broker keeps times (LogAppendTime) and removes old records (`retain` does nothing).

    Args:
        settings: the brokers and how to reach them.
        clock: the time of dead letters.
        fault: called after the steps of a commit (`begun`, `sent`, `committed`), for tests.
        writer: which of the programs that append this is. Of two with one name the later fences the earlier while
            that is in the middle of an append.
        timeout_seconds: how long a call may block.

    Raises:
        ConfigError: credentials, TLS or topics are wrong.
        LogError: no broker can be reached.

    """

    def __init__(
        self,
        settings: KafkaSettings,
        clock: Clock = system_clock,
        *,
        writer: str = "log",
        fault: Fault = no_fault,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.settings = settings
        self.topics = Topics(settings.topic_prefix)
        self._clock = clock
        self._fault = fault
        self._loop = KafkaLoop(settings.servers, timeout_seconds)
        self._fetcher = Fetcher(settings)
        self._pages = Pages(self._fetcher)
        self._cursors = CursorTable(self._fetcher, self.topics.cursors)
        self._appender = Appender(self._loop, settings, writer)
        self._owned: dict[int, OwnedProducer] = {}
        self._unknown: set[int] = set()  # partitions whose checkpoint has to be read before the next commit
        try:
            self._loop.run(probe(settings), "signing in")
            names = (*self.topics.partitioned, self.topics.cursors)
            found = self._loop.run(self._fetcher.count_partitions(names), "looking at the topics")
            self.partitions = count_partitions(self.topics, found, settings.partitions)
        except BaseException:
            self.close()
            raise

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
        """See `Log.append`. What fits one batch of one partition is sent alone, all else in one transaction."""
        if partition is not None:
            self._check(partition)
        letters = [replace(letter, time=letter.time or self._clock()) for letter in dead_letters]
        for letter in letters:
            self._check(letter.partition)
        parcels = pack_append(self.topics, self.partitions, events, partition, letters)
        if cursors:
            parcels.append(self._pack_cursors(cursors))
        self._expect(self._appender.append(parcels))

    def read(
        self, stream: Stream, partition: int, offset: int, limit: int, *, freshness_seconds: float = 0.0
    ) -> Sequence[Record]:
        """See `Log.read`. At the end the broker is asked, unless it was within `freshness_seconds`."""
        place = self._place(stream, partition)
        if limit <= 0:
            return []
        taking = self._pages.take(place, offset, limit, freshness_seconds)
        found = self._read(taking, f"reading {place[0]}")
        return [decode_record(stream, record.offset, record.timestamp, record.value) for record in found]

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`: the last stable offset."""
        place = self._place(stream, partition)
        return self._read(self._fetcher.offset_at(place, LATEST), f"reading {place[0]}")

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        place = self._place(stream, partition)
        return self._read(self._fetcher.offset_at(place, EARLIEST), f"reading {place[0]}")

    def seek(self, stream: Stream, partition: int, ingestedtime: int) -> int:
        """Return the first offset whose record the broker took at or after `ingestedtime`; the end if there is none."""
        place = self._place(stream, partition)
        found = self._read(self._fetcher.offset_at(place, max(ingestedtime, 0) // 1_000_000), f"reading {place[0]}")
        return found if found >= 0 else self.end(stream, partition)

    def latest_time(self) -> int:
        """Return the greatest ingestedtime at the ends of the events' partitions; 0 where there is no event."""
        return max(_last_time(self, partition) for partition in range(self.partitions))

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`: one transaction of the partition's owner, which this log becomes if nobody asked before."""
        self._check(partition)
        parcels = pack_commit(self.topics, self.partitions, partition, commit, self._clock())
        if partition in self._unknown:
            raise LogError(f"partition {partition}: an earlier commit failed or was fenced; read its checkpoint first")
        if partition not in self._owned:
            self.open_partition(partition)
        self._unknown.add(partition)
        owner = self._owned[partition]
        ends = self._loop.run(owner.transact(parcels, self._fault), f"committing partition {partition}")
        self._unknown.discard(partition)
        self._expect(ends)

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`. Takes the partition over, unless this log owns it."""
        self._check(partition)
        self._unknown.add(partition)
        if partition not in self._owned or self._owned[partition].broken:
            self.open_partition(partition)
        found = self.peek(partition)
        self._unknown.discard(partition)
        return found

    def peek(self, partition: int) -> Checkpoint:
        """Return the checkpoint without taking the partition over."""
        self._check(partition)
        reading = StateReader(self._fetcher, self.topics.state).read(partition)
        return self._read(reading, f"reading {self.topics.state}", 10 * self._loop.timeout_seconds)

    def open_partition(self, partition: int) -> None:
        """Become the owner of a partition; the one before is fenced and its open transaction ended."""
        self._check(partition)
        self.release_partition(partition)
        owner = OwnedProducer(self.settings, owner_id(self.settings.group, self.topics.events, partition))
        self._loop.run(owner.open(), f"taking over partition {partition}")
        self._owned[partition] = owner

    def release_partition(self, partition: int) -> None:
        """Stop owning a partition; idempotent."""
        owner = self._owned.pop(partition, None)
        if owner is not None:
            self._loop.run(owner.close(), f"releasing partition {partition}")

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        return self._read_cursors().get(name)

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """See `Log.cursors`."""
        return {name: position for name, position in self._read_cursors().items() if name.startswith(prefix)}

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        if cursors:
            self._expect(self._appender.append([self._pack_cursors(cursors)]))

    def retain(self, *, older_than: int, max_bytes: int, readers: Iterable[str] = ()) -> Retained:  # noqa: ARG002 - the seam's
        """Remove nothing: the broker does, by the settings of the topics."""
        return Retained(removed={}, unread=0)

    def close(self) -> None:
        """See `Log.close`."""
        producers: list[Producer] = [*self._owned.values(), *self._appender.producers()]
        for close in (*(producer.close for producer in producers), self._fetcher.close):
            with contextlib.suppress(LogError):  # it is going anyway; the next one has to be closed too
                self._loop.run(close(), "closing")
        self._owned.clear()
        self._loop.close()

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise LogError(f"this log has no partition {partition}")

    def _place(self, stream: Stream, partition: int) -> Place:
        self._check(partition)
        return self.topics.of(stream), partition

    def _pack_cursors(self, cursors: Mapping[str, bytes | None]) -> Parcel:
        rows = [encode_row(name.encode("utf-8", "surrogatepass"), position) for name, position in cursors.items()]
        return Parcel(self._cursors.place, rows)

    def _expect(self, ends: Mapping[Place, int]) -> None:
        for place, end in ends.items():
            self._fetcher.expect(place, end)

    def _read(self, coroutine: Coroutine[Any, Any, T], doing: str, timeout_seconds: float | None = None) -> T:
        try:
            return self._loop.run(coroutine, doing, timeout_seconds)
        except LogError:
            self._loop.run(self._fetcher.close(), "closing a connection")  # the next one reads the secrets anew
            raise

    def _read_cursors(self) -> Mapping[str, bytes]:
        return self._read(self._cursors.refresh(), f"reading {self.topics.cursors}")


def _last_time(log: KafkaLog, partition: int) -> int:
    first, end, step = log.start(Stream.EVENTS, partition), log.end(Stream.EVENTS, partition), _STEP_BACK
    while end > first:  # transaction markers may be last
        records = log.read(Stream.EVENTS, partition, max(first, end - step), step)
        if records:
            return records[-1].ingestedtime
        if end - step <= first:
            break
        step *= 8
    return 0
