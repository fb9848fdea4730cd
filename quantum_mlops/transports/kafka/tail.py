"""Reading along: what comes into many partitions, fetched ahead by one consumer, so that a look costs no request.

`KafkaLog.read` asks the brokers and reads anywhere; this is for those who look at every partition several times a
second and go on from where they were. Idle it costs one request a second.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

from msgspec import Struct, field

from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Record, Stream
from quantum_mlops.transports.kafka.faults import explain
from quantum_mlops.transports.kafka.loop import KafkaLoop, Scope
from quantum_mlops.transports.kafka.records import decode_record
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics

AHEAD = 1000
"""Records of a partition that are fetched before they are asked for."""
_AT_ONCE = 500
_FETCH_BYTES = 256 * 1024
_WAIT_MS = 400
_LONG_POLL_MS = 1000
_RETRY_SECONDS = 1.0

Place = tuple[Stream, int]


class _Shelf(Struct):
    """What was fetched of one place. `first` is the offset that was asked for last; nothing below it is kept.

    `is_lost`: the consumer is to go to `first`. `is_still`: the last look found the same end and nothing before it.
    """

    first: int
    end: int
    records: deque[Record] = field(default_factory=deque)
    is_lost: bool = True
    is_paused: bool = False
    is_still: bool = False


class Tail:
    """`read` and `end` from one thread at a time; a place is followed from the first `read` of it on.

    Only what is committed is shown. Aborted transactions and their markers are holes in the offsets.

    Args:
        loop: where the consumer lives.
        settings: how to reach Kafka.
        partitions: of every stream.

    """

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, partitions: int) -> None:
        self.partitions = partitions
        self._loop = loop
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._shelves: dict[Place, _Shelf] = {}
        self._lock = threading.Lock()
        self._fault: LogError | None = None
        self._scope = Scope()
        self._is_closed = False
        self._task: asyncio.Task[None] | None = None

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records at or after `offset`, as far as they are here; never waits for a broker.

        Raises:
            LogError: Kafka refuses; it is tried again each second.

        """
        place = (stream, partition)
        with self._lock:
            if self._fault is not None:
                raise self._fault
            shelf = self._shelves.get(place)
            if shelf is None:
                self._shelves[place] = _Shelf(offset, offset)
                self._start()
                return ()
            if offset < shelf.first:
                shelf.records.clear()
                shelf.is_lost = True
            shelf.first = offset
            records = shelf.records
            while records and records[0].offset < offset:
                records.popleft()
            if not records:
                return ()
            return list(islice(records, limit))

    def end(self, stream: Stream, partition: int) -> int:
        """Return the end of a place that is followed, as far as it is known here, without markers that end it."""
        with self._lock:
            shelf = self._shelves.get((stream, partition))
            if shelf is None:
                return 0
            return shelf.first if shelf.is_still and not shelf.records else max(shelf.end, shelf.first)

    def close(self) -> None:
        """Stop following; idempotent. The loop stays."""
        self._is_closed = True
        if self._task is not None:
            self._loop.run(self._stop(), "closing")

    def _start(self) -> None:
        if self._task is None and not self._is_closed:
            self._task = self._loop.run(self._begin(), "following")

    async def _begin(self) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self._scope.run(self._follow()))

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
        await self._scope.cancel()

    async def _follow(self) -> None:
        """Fetch until the end; after an error with a new consumer."""
        while True:
            try:
                await self._fetch()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the client raises is told by `read`, and tried again
                with self._lock:
                    self._fault = LogError(str(explain(error, "following", self._settings.servers)))
                    for shelf in self._shelves.values():
                        shelf.is_lost, shelf.is_paused = True, False
                        shelf.records.clear()
                await asyncio.sleep(_RETRY_SECONDS)

    async def _fetch(self) -> None:
        from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - an extra

        consumer = AIOKafkaConsumer(
            **self._settings.client_arguments(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_LONG_POLL_MS,
            max_partition_fetch_bytes=_FETCH_BYTES,
            max_poll_records=_AT_ONCE,
        )
        try:
            await consumer.start()
            with self._lock:
                self._fault = None
            places: dict[Any, Place] = {}
            while True:
                places = self._arrange(consumer, places)
                found = await consumer.getmany(timeout_ms=_WAIT_MS)
                self._keep(consumer, places, found)
        finally:
            await consumer.stop()

    def _arrange(self, consumer: Any, places: dict[Any, Place]) -> dict[Any, Place]:
        """Give the consumer its places, and put it where the readers are."""
        from aiokafka import TopicPartition  # noqa: PLC0415 - an extra

        with self._lock:
            if len(self._shelves) != len(places):
                places = {TopicPartition(self._topics.of(place[0]), place[1]): place for place in self._shelves}
                consumer.assign(list(places))
                for shelf in self._shelves.values():
                    shelf.records.clear()
                    shelf.is_lost, shelf.is_paused = True, False
            for partition, place in places.items():
                shelf = self._shelves[place]
                if shelf.is_lost:
                    consumer.seek(partition, shelf.first)
                    shelf.is_lost = False
                is_full = len(shelf.records) >= AHEAD
                if is_full != shelf.is_paused and (is_full or len(shelf.records) < AHEAD // 2):
                    (consumer.pause if is_full else consumer.resume)(partition)
                    shelf.is_paused = is_full
        return places

    def _keep(self, consumer: Any, places: dict[Any, Place], found: dict[Any, Any]) -> None:
        decoded = {
            places[partition]: [
                decode_record(places[partition][0], one.offset, one.timestamp, one.value) for one in records
            ]
            for partition, records in found.items()
        }
        with self._lock:
            for place, records in decoded.items():
                shelf = self._shelves[place]
                if not shelf.is_lost:  # else the reader went elsewhere meanwhile
                    shelf.records.extend(record for record in records if record.offset >= shelf.first)
            for partition, place in places.items():
                shelf, end = self._shelves[place], consumer.last_stable_offset(partition) or 0
                shelf.is_still = place not in decoded and end == shelf.end
                shelf.end = end
                if shelf.is_still and 0 < end < shelf.first:
                    raise LogError(
                        f"{partition.topic} partition {partition.partition} ends at offset {end}, before "
                        f"{shelf.first}, which was read: the topic was made anew, or has lost its end; start this again"
                    )
