"""Kafka as `Store`: per owned partition one fenced producer, and one fetcher for all that is read beside the delivery.

A test may name a fault, called at every step of a transaction; then outputs and states are sent one after the other, so
that a kill between them can be tried.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future

from qml_processors.worker.store import Bounds
from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Checkpoint, Commit, Record, Stream
from quantum_mlops.transports.kafka.cursors import CursorTable
from quantum_mlops.transports.kafka.fetch import EARLIEST, LATEST, Fetcher, Place, probe
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.pages import Pages
from quantum_mlops.transports.kafka.records import decode_record, encode_row
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.shipment import pack_commit
from quantum_mlops.transports.kafka.state import StateReader
from quantum_mlops.transports.kafka.topics import Topics, count_partitions
from quantum_mlops.transports.kafka.transaction import Fault, OwnedProducer, Parcel, Producer, owner_id

FAULT_POINTS = ("begin", "outputs sent", "state sent", "before commit", "after commit")
"""The steps of a transaction, in order; each is called when it has happened."""

_OPEN_SECONDS = 60.0
_COMMIT_SECONDS = 30.0
_ASK_SECONDS = 15.0
_START_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_GLANCE_BYTES = 4096


class KafkaStore:
    """See `Store`. `open` of the brokers and a look at the topics happen when it is made.

    Args:
        settings: how to reach Kafka.
        clock: the time of dead letters without one.
        fault: for tests, called with each of `FAULT_POINTS` in the thread of Kafka's clients.

    Raises:
        ConfigError: credentials, TLS or topics are wrong.
        LogError: no broker can be reached.

    """

    def __init__(self, settings: KafkaSettings, clock: Clock = system_clock, fault: Fault | None = None) -> None:
        self.settings = settings
        self.topics = Topics(settings.topic_prefix)
        self._clock = clock
        self._fault = fault
        self.loop = KafkaLoop(settings.servers)
        self._fetcher = Fetcher(settings)
        self._pages = Pages(self._fetcher)
        self._cursors = CursorTable(self._fetcher, self.topics.cursors)
        self._producer: Producer | None = None
        self._owned: dict[int, OwnedProducer] = {}
        self._closing: set[Future[None]] = set()
        try:
            self.loop.run(probe(settings), "signing in", _START_SECONDS)
            names = (*self.topics.partitioned, self.topics.cursors)
            counting = self._fetcher.count_partitions(names)
            found = self.loop.run(counting, "looking at the topics", _START_SECONDS)
            self.partitions = count_partitions(self.topics, found, settings.partitions)
        except BaseException:
            self.close()
            raise

    def open(self, partition: int) -> "Future[Checkpoint]":
        """See `Store.open`."""
        self.release(partition)
        identity = owner_id(self.settings.group, self.topics.events, partition)
        producer = (OwnedProducer if self._fault is None else SteppedProducer)(self.settings, identity)
        self._owned[partition] = producer
        opening = self._take_over(producer, partition)
        return self.loop.submit(opening, f"taking over partition {partition}", _OPEN_SECONDS)

    def commit(self, partition: int, commit: Commit) -> "Future[None]":
        """See `Store.commit`. Events over the limit are refused here.

        Raises:
            LogError: a row is too large.
            EventTooLargeError: an event is.

        """
        parcels = pack_commit(self.topics, self.partitions, partition, commit, self._clock())
        producer = self._owned[partition]
        return self.loop.submit(self._transact(producer, parcels), f"committing partition {partition}", _COMMIT_SECONDS)

    def release(self, partition: int) -> None:
        """See `Store.release`."""
        producer = self._owned.pop(partition, None)
        if producer is not None:
            closing = self.loop.submit(producer.close(), f"releasing partition {partition}", _ASK_SECONDS)
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def read(self, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Store.read`."""
        place = self._place(partition)
        found = self.loop.run(self._pages.take(place, offset, limit, 0.0), f"reading {place[0]}")
        return [decode_record(Stream.EVENTS, record.offset, record.timestamp, record.value) for record in found]

    def first(self, partition: int, offset: int) -> int | None:
        """See `Store.first`."""
        place = self._place(partition)
        page = self.loop.run(self._fetcher.fetch(place, offset, _GLANCE_BYTES), f"reading {place[0]}")
        return page.records[0].offset if page.records else None

    def bounds(self, partitions: Collection[int]) -> "Future[Mapping[int, Bounds]]":
        """See `Store.bounds`."""
        return self.loop.submit(self._ask(list(partitions)), "asking for offsets", _ASK_SECONDS)

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        return self.loop.run(self._cursors.refresh(), f"reading {self.topics.cursors}").get(name)

    def move_cursors(self, cursors: Mapping[str, bytes | None], timeout_seconds: float | None = None) -> None:
        """See `Log.move_cursors`."""
        rows = [encode_row(name.encode("utf-8", "surrogatepass"), value) for name, value in cursors.items()]
        if self._producer is None:
            producer = Producer(self.settings)
            self.loop.run(producer.open(), "connecting", timeout_seconds)
            self._producer = producer
        sending = self._producer.send([Parcel(self._cursors.place, rows)])
        self.loop.run(sending, "moving cursors", timeout_seconds)

    def close(self) -> None:
        """Close every connection, without waiting long for any; idempotent."""
        for partition in list(self._owned):
            self.release(partition)
        last = [self._fetcher.close()] + ([] if self._producer is None else [self._producer.close()])
        self._producer = None
        for doing in last:
            _outlive(lambda doing=doing: self.loop.run(doing, "closing", _CLOSE_SECONDS))  # type: ignore[misc]
        for closing in list(self._closing):
            _outlive(lambda closing=closing: closing.result(_CLOSE_SECONDS))  # type: ignore[misc]
        self.loop.close()

    async def _take_over(self, producer: OwnedProducer, partition: int) -> Checkpoint:
        await producer.open()
        return await StateReader(self._fetcher, self.topics.state).read(partition)

    async def _transact(self, producer: OwnedProducer, parcels: Sequence[Parcel]) -> None:
        if self._fault is None:
            await producer.transact(parcels)
        else:
            await producer.transact(parcels, self._fault)

    async def _ask(self, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        places = [self._place(partition) for partition in partitions]
        starts = asyncio.gather(*(self._fetcher.offset_at(place, EARLIEST) for place in places))
        ends = asyncio.gather(*(self._fetcher.offset_at(place, LATEST) for place in places))
        return dict(zip(partitions, zip(await starts, await ends, strict=True), strict=True))

    def _place(self, partition: int) -> Place:
        return self.topics.events, partition


class SteppedProducer(OwnedProducer):
    """Sends outputs before states and tells each step of a transaction; for tests that end the process at one."""

    async def transact(self, parcels: Sequence[Parcel], fault: Fault) -> Mapping[Place, int]:  # type: ignore[override]
        """See `OwnedProducer.transact`; `fault` is called with each of `FAULT_POINTS`."""
        self._begin()
        state = Topics(self.settings.topic_prefix).state
        await self._client.begin_transaction()
        fault("begin")
        ends = dict(await self._write([parcel for parcel in parcels if parcel.place[0] != state]))
        fault("outputs sent")
        ends |= await self._write([parcel for parcel in parcels if parcel.place[0] == state])
        fault("state sent")
        fault("before commit")
        await self._client.commit_transaction()
        fault("after commit")
        self.broken = False
        return {place: end + 1 for place, end in ends.items()}


def _outlive(close: Callable[[], object]) -> None:
    try:
        close()
    except (LogError, TimeoutError):  # it is closed to the far end in any case when the process ends
        return
