"""Delivery by Faust: its app joins the group, is given partitions and fetches; nothing else of it counts.

Faust drops what is in flight in a rebalance and commits past it, so here it has no tables, acknowledges nothing and
commits nothing. Each fetch goes through its stream as one event that knows which offsets it covers: a fetch that
Faust drops shows at the next one, and is made again. `perform_seek`, where Faust would go to what it once committed,
tells the owner of its partitions instead. The only import of faust; `engines` makes it, in a worker only.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord
from faust.transport import base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.threads import WorkerThread
from msgspec import Struct

from qml_processors.worker.aiokafka_delivery import AiokafkaDelivery, Place
from qml_processors.worker.delivery import Chunk
from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.faults import ClientLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings

_CHUNK_RECORDS = 1000
_CHUNKS_IN_STREAM = 8
_GLANCE_SECONDS = 0.2
_LEAVING_SECONDS = 5.0
_SILENT_SECONDS = 30.0
"""Counted in glances, not by a clock: a process that was stopped and goes on has missed nothing."""


class Route(Place):
    """A place with how far its fetches came through Faust's stream; `broken`: one of them did not."""

    arrived: int
    broken: bool = False


class Fetch(Struct, frozen=True, gc=False):
    """What travels through Faust as one event."""

    route: Route
    chunk: Chunk


class FaustDelivery(AiokafkaDelivery):
    """See `Delivery`. Faust's consumer is aiokafka's, in a thread of Faust: all that is kept here is used there only.

    `dropped` counts fetches that Faust lost on their way.

    Args:
        loop: where the app runs.
        settings: how to reach Kafka, the group and its session timeout.
        instance: keeps our partitions through a restart shorter than the session timeout (static membership).

    """

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, instance: str | None = None) -> None:
        super().__init__(loop, settings, instance)
        self._arguments["max_poll_records"] = _CHUNK_RECORDS
        self._untold: frozenset[int] | None = None
        self._glances = 0
        self.dropped = 0
        for name in ("faust", "mode", __name__):
            _quiet(logging.getLogger(name))

    async def _begin(self) -> "asyncio.Task[None]":
        self._hinting = set()
        self._app = _make_app(self, self._topic, self._arguments)
        return asyncio.create_task(self._scope.run(self._deliver()))

    async def _deliver(self) -> None:
        """Start the app, which may hang where the group refuses us, and watch it: it crashes without a word."""
        try:
            starting = asyncio.create_task(self._app.start())
            while not self._app.crashed:
                await asyncio.sleep(_GLANCE_SECONDS)
                if starting.done():
                    starting.result()
            reason = self._app.crash_reason
            self.fail(reason if isinstance(reason, Exception) else LogError("Faust's app ended"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine has ended; the main thread tells
            self.fail(error)

    async def _stop(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        try:
            await self._app.stop()
        finally:
            await self._scope.cancel()

    def make_consumer(self) -> AIOKafkaConsumer:
        """Return Faust's consumer; called in its thread.

        Faust's own would read what was never committed, and knows fewer ways to sign in.
        """
        self._running = asyncio.get_running_loop()
        self._consumer = AIOKafkaConsumer(**self._arguments)
        return self._consumer

    async def watch_group(self) -> None:
        """Tell what ends the membership, for which Faust never asks, and where Faust fetches no more."""
        try:
            while True:
                await asyncio.sleep(_GLANCE_SECONDS)
                self._consumer._coordinator.check_errors()  # noqa: SLF001 - aiokafka's own getmany does it, Faust's not
                self._glances = self._glances + 1 if self._places or self._untold else 0
                if self._glances * _GLANCE_SECONDS > _SILENT_SECONDS:
                    self.fail(LogError(f"Faust has not fetched for {_SILENT_SECONDS:g} s"))
                    return
        except Exception as error:  # noqa: BLE001 - see _deliver
            self.fail(error)

    def assign(self, partitions: Collection[int]) -> None:
        """Fetch nothing before the owner has said from where, and tell it when Faust fetches again."""
        self._places.clear()
        self._consumer.pause(*(TopicPartition(self._topic, partition) for partition in partitions))
        self._place(partitions)
        self._untold = frozenset(partitions)

    def tell(self) -> None:
        """Tell the owner of its partitions, once an assignment; any thread."""
        self._running.call_soon_threadsafe(self._do_tell)

    async def revoke(self, partitions: Collection[int]) -> None:
        """Wait until the owner has let go of everything."""
        self._untold = None
        await super().revoke(partitions)

    async def wrap(self, found: Mapping[TopicPartition, list[ConsumerRecord]]) -> dict[TopicPartition, list[Fetch]]:
        """Return what was fetched as one event a partition."""
        fetches: dict[TopicPartition, list[Fetch]] = {}
        for at, records in found.items():
            route = self._places.get(at.partition)
            try:
                end = await self._consumer.position(at)
            except IllegalStateError:
                continue  # just revoked
            if not isinstance(route, Route) or route.broken:
                continue
            size = sum(record.serialized_value_size for record in records)
            fetches[at] = [Fetch(route, Chunk(at.partition, route.epoch, route.next, end, records, size))]
            route.next = end
        return fetches

    def is_fetching(self) -> None:
        """Faust fetches, or waits for the brokers to have something."""
        if self._untold is None:
            self._glances = 0

    async def restart(self, error: OffsetOutOfRangeError) -> None:
        """Go on where the log starts now."""
        await self._go_to_the_start(error)

    async def take(self, stream: "faust.StreamT[Fetch]") -> None:
        """The agent. A fetch is a batch already, so events are taken one by one: `take_events` would hold them back."""
        async for event in stream.events():
            self._running.call_soon_threadsafe(self._take, event.value)

    def _take(self, fetch: Fetch) -> None:
        try:
            self._hand_on(fetch.route, fetch.chunk)
        except Exception as error:  # noqa: BLE001 - the loop would only log it
            self.fail(error)

    def _hand_on(self, route: Route, chunk: Chunk) -> None:
        """Hand a fetch to the owner, or fetch again what Faust dropped before it."""
        if route.broken or self._places.get(chunk.partition) is not route:
            return
        if chunk.start is not None and chunk.start > route.arrived:
            self.dropped += 1
            route.broken = True
            self._do_seek(chunk.partition, route.arrived, route.epoch)
            return
        route.arrived = chunk.end
        if not self._handover.deliver(chunk):
            with contextlib.suppress(IllegalStateError):  # just revoked
                self._consumer.pause(TopicPartition(self._topic, chunk.partition))

    def _do_seek(self, partition: int, offset: int, epoch: int) -> None:
        super()._do_seek(partition, offset, epoch)
        place = self._places.get(partition)
        if place is not None:
            self._places[partition] = Route(epoch, offset, offset)

    def _do_tell(self) -> None:
        untold, self._untold = self._untold, None
        if untold is not None:
            self._handover.assign(untold)


class _App(faust.App):
    delivery: FaustDelivery

    async def on_first_start(self) -> None:
        """Faust would make its folders in the working directory."""


class _Thread(WorkerThread):
    """A thread that no process waits for at its end, and that no stop waits for longer than it may."""

    def __init__(self, service: Any, **more: Any) -> None:
        super().__init__(service, **more)
        self.daemon = True

    def run(self) -> None:
        with contextlib.suppress(Exception):  # the app has crashed, and the delivery tells; this would be a traceback
            super().run()

    def stop(self) -> None:
        self.is_stopped.wait(_LEAVING_SECONDS)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    app: _App
    Worker = _Thread

    async def on_start(self) -> None:
        await super().on_start()
        self._watching = asyncio.create_task(self.app.delivery.watch_group())

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:  # noqa: ARG002 - Faust's face
        return self.app.delivery.make_consumer()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        try:
            await self.app.delivery.revoke({at.partition for at in revoked})
            await super().on_partitions_revoked(revoked)
        except Exception as error:  # noqa: BLE001 - aiokafka would only log it
            self.app.delivery.fail(error)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        try:
            self.app.delivery.assign({at.partition for at in assigned})
            await super().on_partitions_assigned(assigned, generation_id)
        except Exception as error:  # noqa: BLE001 - aiokafka would only log it
            self.app.delivery.fail(error)
        if not assigned:
            self.app.delivery.tell()  # nothing to seek

    async def _fetch_records(self, *arguments: Any, **more: Any) -> Any:
        self.app.delivery.is_fetching()
        try:
            found = await super()._fetch_records(*arguments, **more)
        except NoOffsetForPartitionError:
            return {}  # its owner is about to seek
        except OffsetOutOfRangeError as error:
            await self.app.delivery.restart(error)
            return {}
        return await self.app.delivery.wrap(found)

    def on_crash(self, msg: str, *fmt: Any, **more: Any) -> None:
        """The delivery tells; Faust would print a traceback."""

    def _stopped_set(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has crashed, and closed its loop
            super()._stopped_set()


class _Forgetful(dict[TP, int | None]):
    """How far Faust believes to have read: by it Faust would drop what is fetched after a seek back."""

    def __getitem__(self, key: TP) -> None:
        return None

    def __setitem__(self, key: TP, value: int | None) -> None:
        return


class _Consumer(driver.Consumer):
    app: _App

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._read_offset = _Forgetful()

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Let the owner seek: it alone knows where to begin."""
        self.app.delivery.tell()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """The owner notices where nothing comes."""

    def _to_message(self, tp: TP, record: Fetch) -> ConsumerMessage:
        chunk = record.chunk
        return ConsumerMessage(
            tp.topic, tp.partition, chunk.end - 1, 0.0, 0, None, None, cast("bytes", record), None, 0, chunk.size_bytes,
            tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip


class _Transport(driver.Transport):
    Consumer: ClassVar[Any] = _Consumer
    Producer: ClassVar[Any] = base.Producer  # connects to nothing: Faust writes nothing


def _make_app(delivery: FaustDelivery, topic: str, arguments: Mapping[str, Any]) -> _App:
    app = _App(
        arguments["group_id"],
        broker=[f"kafka://{server}" for server in arguments["bootstrap_servers"]],
        broker_session_timeout=arguments["session_timeout_ms"] / 1000,
        broker_heartbeat_interval=arguments["heartbeat_interval_ms"] / 1000,
        broker_request_timeout=arguments["request_timeout_ms"] / 1000,
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=_CHUNKS_IN_STREAM,
        stream_wait_empty=False,  # what is in the stream is not acknowledged: the next owner gets it
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
    )
    app.delivery = delivery
    app.transport = app.producer_transport = _Transport(app.conf.broker_consumer, app)
    events = app.topic(topic, key_type=bytes, value_type=bytes, acks=False)
    app.agent(events, name="deliver", concurrency=1)(delivery.take)
    app.finalize()
    return app


def _quiet(logger: logging.Logger) -> None:
    if not any(isinstance(handler, ClientLog) for handler in logger.handlers):
        logger.addHandler(ClientLog())
        logger.propagate = False
