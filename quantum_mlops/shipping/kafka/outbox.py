"""One idempotent producer of one topic: records go out in batches, and what became of each batch is told.

A producer that met an error is not used again. What it still holds it would send once the broker is
back, while the same events come again from the spool; and a batch that the broker refused leaves a gap
in its sequence numbers, which is held against all that follow.
"""

import asyncio
import contextlib
import inspect
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_lz4
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from quantum_mlops.codec import CONTENT_TYPE
from quantum_mlops.errors import RetryableError

HEADERS = [("content-type", CONTENT_TYPE.encode())]
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
WATCH_SECONDS = 5.0
_STOP_SECONDS = 1.0


class Outgoing(Struct, frozen=True):
    """One record to be: its place in the caller's list, its partition, key and value."""

    index: int
    partition: int
    key: bytes | None
    value: bytes


class Sent(Struct, frozen=True):
    """One batch of one partition; `error` None says that all in-sync replicas have it."""

    records: list[Outgoing]
    error: Exception | None


class Outbox:
    """Belongs to one event loop. `batch_bytes` bounds a batch before compression; a single record may be longer."""

    def __init__(self, topic: str, arguments: Mapping[str, Any], batch_bytes: int) -> None:
        self._topic = topic
        self._arguments = arguments
        self._producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=0,  # a batch is complete when it is given
            max_batch_size=batch_bytes,
            compression_type="lz4" if has_lz4() else "gzip",
            **arguments,
        )

    async def open(self) -> int:
        """Connect, and return how many partitions the topic has.

        Raises:
            UnknownTopicOrPartitionError: the cluster shows no such topic to this user.
            TimeoutError: not connected in 10 s.
            KafkaError, OSError: as aiokafka raises them.

        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._producer.start()
                # Asked of all topics: asking for one by name would create it where the cluster is set up so.
                known = await self._producer.client.fetch_all_metadata()
        except KafkaConnectionError as error:  # of all servers, with the reasons in aiokafka's log only
            raise await self._find_reason() or error from None
        except TimeoutError:
            if self._producer.client.cluster.brokers():
                raise RetryableError(
                    "answers, but the brokers that it names do not: see advertised.listeners"
                ) from None
            raise
        partitions = known.partitions_for_topic(self._topic)
        if not partitions:
            raise UnknownTopicOrPartitionError(self._topic)
        return len(partitions)

    async def send(self, records: Sequence[Outgoing]) -> list[Sent]:
        """Send the records, those of a partition in their order; return what became of them, after 30 s at most.

        A partition's records after a failed batch are not tried and not in the answer. Where no server
        answers any more that is the error of a batch without records, after some 5 s: aiokafka itself
        waits in silence.
        """
        queues: dict[int, deque[Outgoing]] = defaultdict(deque)
        for record in records:
            queues[record.partition].append(record)
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        sent: list[Sent] = []
        sending = asyncio.gather(
            *(self._send_all(partition, queue, until, sent) for partition, queue in queues.items())
        )
        watching = asyncio.ensure_future(self._watch())
        await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            watching.cancel()
            sending.result()
            return sent
        sending.cancel()
        await asyncio.wait((sending,))
        return [*sent, Sent([], watching.result())]

    async def close(self, *, broken: bool) -> None:
        """Let go of the connections, in 2 s at most; `broken` sends nothing of what is left."""
        with contextlib.suppress(Exception):  # what was not acknowledged is in the spool: there is no more to be done
            async with asyncio.timeout(0.0 if broken else _STOP_SECONDS):
                await self._producer.stop()
        with contextlib.suppress(Exception):  # a connection that cannot be closed goes with its loop
            async with asyncio.timeout(_STOP_SECONDS):
                await self._producer.client.close()

    async def _watch(self) -> Exception:
        """Return the reason once no server answers."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            reason = await self._find_reason()
            if reason is not None:
                return reason

    async def _find_reason(self) -> Exception | None:
        """Connect to the servers once more, for the error; None where one of them answers now."""
        found: Exception | None = None
        names = inspect.signature(create_conn).parameters
        arguments = {name: value for name, value in self._arguments.items() if name in names}
        for host, port, _ in self._producer.client.hosts:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await create_conn(host, port, **arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is judged like the first one
                found = error
            else:
                connection.close()
                return None
        return found

    async def _send_all(self, partition: int, queue: deque[Outgoing], until: float, sent: list[Sent]) -> None:
        while queue:
            batch, records = self._fill(queue)
            try:
                async with asyncio.timeout_at(until):
                    await (await self._producer.send_batch(batch, self._topic, partition=partition))
            except Exception as error:  # noqa: BLE001 - told to the caller, who decides what it means
                sent.append(Sent(records, error))
                break
            sent.append(Sent(records, None))

    def _fill(self, queue: deque[Outgoing]) -> tuple[BatchBuilder, list[Outgoing]]:
        batch = self._producer.create_batch()
        records: list[Outgoing] = []
        while queue:
            one = queue[0]
            if batch.append(timestamp=None, key=one.key, value=one.value, headers=HEADERS) is None:
                break
            records.append(queue.popleft())
        batch.close()
        return batch, records


async def open_outbox(topic: str, arguments: Mapping[str, Any], batch_bytes: int) -> tuple[Outbox, int]:
    """Return an open outbox and the number of partitions; see `Outbox.open` for what it raises."""
    outbox = Outbox(topic, arguments, batch_bytes)
    try:
        return outbox, await outbox.open()
    except BaseException:
        await outbox.close(broken=True)
        raise
