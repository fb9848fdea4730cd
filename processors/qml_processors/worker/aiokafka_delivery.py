"""Delivery by aiokafka: a consumer of the group that fetches, and says where each chunk begins and ends.

aiokafka only logs what a rebalance listener raises, so the listener ends the work itself. What was
fetched before a partition's first `seek` is thrown away: only its owner knows where to begin.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord
from msgspec import Struct

from qml_processors.worker.delivery import Chunk
from qml_processors.worker.handover import Handover
from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.transports.kafka.faults import explain, is_users_mistake
from quantum_mlops.transports.kafka.loop import KafkaLoop, Scope
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics

_POLL_MS = 100
_IDLE_WAIT_MS = 500
_BUSY_WAIT_MS = 20
"""How long a broker lets a fetch wait for records. One is under way at a time, so one that leaves out a partition (not
sought yet, or full) holds it up: with 500 ms a worker that owned one busy partition and eleven idle ones stood still
for half of the time. So fetches wait long only after a quiet time."""
_MANY_RECORDS = 100
_QUIET_SECONDS = 2.0
_CHUNK_RECORDS = 1000
_HEARTBEATS = 5
"""In a session: by one of them the others learn that partitions are free, so they bound how soon one takes over."""
_LETTING_GO_SECONDS = 20.0
_GLANCE_SECONDS = 0.002


class Place(Struct, gc=False):
    """How far a partition was delivered: `next` is None where the engine cannot vouch for what lies before."""

    epoch: int
    next: int | None


class AiokafkaDelivery:
    """See `Delivery`.

    Args:
        loop: the thread of Kafka's clients.
        settings: how to reach Kafka, the group and its session timeout.
        instance: keeps our partitions through a restart shorter than the session timeout (static membership).

    """

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, instance: str | None = None) -> None:
        self._loop = loop
        self._servers = settings.servers
        self._topic = Topics(settings.topic_prefix).events
        session_timeout_ms = settings.session_timeout_ms
        arguments = settings.client_arguments()
        self._arguments = {
            **arguments,
            "group_id": settings.group,
            "group_instance_id": instance,
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": session_timeout_ms // _HEARTBEATS,
            "rebalance_timeout_ms": round(1000 * _LETTING_GO_SECONDS) + session_timeout_ms,
            "request_timeout_ms": max(arguments["request_timeout_ms"], session_timeout_ms + 5000),
            "fetch_max_wait_ms": _BUSY_WAIT_MS,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "partition_assignment_strategy": (StickyPartitionAssignor,),
        }
        self._scope = Scope()
        self._places: dict[int, Place] = {}
        self._left_out: set[int] = set()  # paused: not sought yet, or full
        self._busy = 0.0
        self.hints_failed = 0

    def start(self, handover: Handover) -> None:
        """See `Delivery.start`."""
        self._handover = handover
        self._pump = self._loop.run(self._begin(), "starting")

    def seek(self, partition: int, offset: int, epoch: int) -> None:
        """See `Delivery.seek`."""
        self._running.call_soon_threadsafe(self._do_seek, partition, offset, epoch)

    def resume(self, partition: int) -> None:
        """See `Delivery.resume`."""
        self._running.call_soon_threadsafe(self._do_resume, partition)

    def hint(self, offsets: Mapping[int, int]) -> None:
        """See `Delivery.hint`."""
        self._running.call_soon_threadsafe(self._do_hint, dict(offsets))

    def stop(self, timeout_seconds: float) -> None:
        """See `Delivery.stop`."""
        if hasattr(self, "_pump"):
            with contextlib.suppress(LogError):  # the group notices by the session timeout
                self._loop.run(self._stop(), "leaving the group", timeout_seconds)

    async def _begin(self) -> "asyncio.Task[None]":
        self._running = asyncio.get_running_loop()
        self._hinting: set[asyncio.Task[None]] = set()
        self._consumer = AIOKafkaConsumer(**self._arguments)
        self._consumer.subscribe([self._topic], listener=_Listener(self))
        return asyncio.create_task(self._scope.run(self._deliver()))

    async def _stop(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, *self._hinting, return_exceptions=True)
        try:
            await self._consumer.stop()
        finally:
            await self._scope.cancel()

    async def _deliver(self) -> None:
        try:
            await self._consumer.start()
            while True:
                try:
                    found = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_CHUNK_RECORDS)
                    self._pace(sum(map(len, found.values())))
                    for at, records in found.items():
                        await self._hand_over(at, records)
                except NoOffsetForPartitionError:
                    continue  # its owner is about to seek
                except OffsetOutOfRangeError as error:
                    await self._go_to_the_start(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine has ended; the main thread tells
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Tell the owner that the engine has ended."""
        told = explain(error, "delivering", self._servers)
        self._handover.fail(ConfigError(str(told)) if is_users_mistake(error) else told)

    async def _hand_over(self, at: TopicPartition, records: list[ConsumerRecord]) -> None:
        place = self._places.get(at.partition)
        try:
            end = await self._consumer.position(at)
        except IllegalStateError:
            return  # just revoked
        if place is None:
            return
        size = sum(record.serialized_value_size for record in records)
        chunk = Chunk(at.partition, place.epoch, place.next, end, records, size)
        place.next = end
        if not self._handover.deliver(chunk):
            self._leave_out([at])

    async def _go_to_the_start(self, error: OffsetOutOfRangeError) -> None:
        """Retention was faster than we: go on at the log's start, and vouch for nothing before."""
        for at, offset in error.args[0].items():
            place = self._places.get(at.partition)
            if place is None or place.next != offset:
                continue  # a position from before the owner's seek
            starts = await self._consumer.beginning_offsets([at])
            ends = await self._consumer.end_offsets([at])
            if offset > ends[at]:
                raise LogError(
                    f"{at.topic} partition {at.partition} ends at offset {ends[at]}, before {offset}, which was "
                    "reached: the topic was made anew"
                )
            if self._places.get(at.partition) is place and self._consumer.assignment().issuperset({at}):
                place.next = None
                self._consumer.seek(at, starts[at])

    def _do_seek(self, partition: int, offset: int, epoch: int) -> None:
        at = TopicPartition(self._topic, partition)
        if partition in self._handover.assigned and at in self._consumer.assignment():
            self._places[partition] = Place(epoch, offset)
            self._consumer.seek(at, offset)
            self._take_in(at)

    def _do_resume(self, partition: int) -> None:
        at = TopicPartition(self._topic, partition)
        if at in self._consumer.assignment():
            self._take_in(at)

    def _leave_out(self, partitions: Collection[TopicPartition]) -> None:
        self._consumer.pause(*partitions)
        self._left_out.update(at.partition for at in partitions)
        self._pace(0)

    def _take_in(self, at: TopicPartition) -> None:
        self._consumer.resume(at)
        self._left_out.discard(at.partition)

    def _pace(self, records: int) -> None:
        """Say how long the next fetch may wait; aiokafka has no public way to change that."""
        now = self._running.time()
        if records >= _MANY_RECORDS or self._left_out:
            self._busy = now
        quiet = now - self._busy > _QUIET_SECONDS
        self._consumer._fetcher._fetch_max_wait_ms = _IDLE_WAIT_MS if quiet else _BUSY_WAIT_MS  # noqa: SLF001

    def _do_hint(self, offsets: Mapping[int, int]) -> None:
        mine = {at: offsets[at.partition] for at in self._consumer.assignment() if at.partition in offsets}
        if mine:
            task = asyncio.create_task(self._commit(mine))
            self._hinting.add(task)
            task.add_done_callback(self._hinting.discard)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(offsets)
        except (KafkaError, ValueError):  # only a hint, and a rebalance makes it fail
            self.hints_failed += 1

    async def revoke(self, partitions: Collection[int]) -> None:
        """Wait until the owner has let go of everything."""
        self._places.clear()
        if not partitions:
            return  # before the first assignment
        change = self._handover.revoke(partitions)
        deadline = self._running.time() + _LETTING_GO_SECONDS
        while not change.is_done():
            if self._running.time() > deadline:
                raise LogError(f"the worker did not let go of its partitions within {_LETTING_GO_SECONDS:.0f} s")
            await asyncio.sleep(_GLANCE_SECONDS)

    def assign(self, partitions: Collection[int]) -> None:
        """Fetch nothing before the owner has said from where."""
        self._places.clear()
        self._left_out.clear()
        self._leave_out([TopicPartition(self._topic, partition) for partition in partitions])
        self._place(partitions)
        self._handover.assign(partitions)

    def _place(self, partitions: Collection[int]) -> None:
        """Give each a position, and fetch nothing: one without, which its owner gave up, would hold up the others."""
        for partition in partitions:
            self._consumer.seek(TopicPartition(self._topic, partition), 0)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc, unused-ignore] # aiokafka publishes few types
    """Ends the work where a hand-over fails; aiokafka would go on."""

    def __init__(self, delivery: AiokafkaDelivery) -> None:
        self._delivery = delivery

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let the owner let go."""
        try:
            await self._delivery.revoke({at.partition for at in revoked})
        except Exception as error:  # noqa: BLE001 - aiokafka would only log it
            self._delivery.fail(error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Tell the owner."""
        try:
            self._delivery.assign({at.partition for at in assigned})
        except Exception as error:  # noqa: BLE001 - aiokafka would only log it
            self._delivery.fail(error)
