"""Writing to Kafka: one transaction of an owner, or single atomic batches without one.

A transactional id belongs to one process at a time: opening an `OwnedProducer` fences the one before it and ends
its open transaction. Whatever fails leaves the producer broken, for the outcome is not known: open a new one and
read what is there.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer import sender

from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.fetch import Place, probe
from quantum_mlops.transports.kafka.loop import Scope
from quantum_mlops.transports.kafka.records import Entry
from quantum_mlops.transports.kafka.settings import KafkaSettings

COMPRESSION = "lz4"
BATCH_BYTES = 512 * 1024
"""A record batch before compression; a larger record travels alone."""
TRANSACTION_TIMEOUT_MS = 15_000
_STOP_SECONDS = 5.0
_ABANDON_SECONDS = 2.0

# The marker of the last commit is on its way for a millisecond or two; aiokafka would sleep for 20.
sender.BACKOFF_OVERRIDE = 0.002

Fault = Callable[[str], None]


class Parcel(NamedTuple):
    """Records for one partition of one topic, in order."""

    place: Place
    entries: Sequence[Entry]


def no_fault(_step: str) -> None:
    """Nothing fails at this step."""


class Producer:
    """An idempotent producer without transactions: each record batch is whole or not at all. On one loop."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.broken = False
        self._scope = Scope()
        self._client: Any = None

    async def open(self) -> None:
        """Connect; errors of aiokafka pass through."""
        await probe(self.settings)
        client = AIOKafkaProducer(**self.settings.client_arguments(), **self._arguments())
        try:
            await self._scope.run(client.start())
        except BaseException:
            self.broken = True
            await self._abandon(client)
            raise
        self._client = client

    async def send(self, parcels: Sequence[Parcel]) -> Mapping[Place, int]:
        """Write and wait for all replicas; return the offset after the last record of each place."""
        self._begin()
        ends = await self._write(parcels)
        self.broken = False
        return ends

    async def close(self) -> None:
        """Stop; what is under way is flushed, or given up where the producer is broken. Idempotent."""
        client, self._client = self._client, None
        if client is None:
            return
        if not self.broken:
            with contextlib.suppress(Exception):  # it stops in any case, below
                await asyncio.wait_for(client.stop(), _STOP_SECONDS)
        self.broken = True
        await self._abandon(client)

    def _arguments(self) -> dict[str, Any]:
        return {
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": COMPRESSION,
            "max_batch_size": BATCH_BYTES,
        }

    def _begin(self) -> None:
        if self.broken or self._client is None:
            raise LogError(f"Kafka at {self.settings.servers}: an earlier write failed; open this partition again")
        self.broken = True  # until the outcome is known

    async def _write(self, parcels: Sequence[Parcel]) -> Mapping[Place, int]:
        full = [parcel for parcel in parcels if parcel.entries]
        ends = await asyncio.gather(*(self._write_parcel(parcel) for parcel in full))
        return {parcel.place: end for parcel, end in zip(full, ends, strict=True)}

    async def _write_parcel(self, parcel: Parcel) -> int:
        (topic, partition), entries = parcel
        waiting, batch = [], self._client.create_batch()
        for key, value, headers in entries:
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                waiting.append((await self._client.send_batch(batch, topic, partition=partition), batch.record_count()))
                batch = self._client.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=headers)
        waiting.append((await self._client.send_batch(batch, topic, partition=partition), batch.record_count()))
        end = 0
        for written, count in waiting:
            end = (await written).offset + count
        return end

    async def _abandon(self, client: Any) -> None:
        """End its tasks, which wait for ever where the broker is away, then its connections."""
        await self._scope.cancel()
        with contextlib.suppress(Exception):  # a client in an unknown state; its tasks are gone already
            await asyncio.wait_for(self._scope.run(client.stop()), _ABANDON_SECONDS)
        await self._scope.cancel()


class OwnedProducer(Producer):
    """The producer of one owner, by its transactional id. `open` fences whoever had the id before."""

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        super().__init__(settings)
        self.transactional_id = transactional_id

    async def transact(self, parcels: Sequence[Parcel], fault: Fault = no_fault) -> Mapping[Place, int]:
        """Write all parcels in one transaction; return the end of each place, its marker included.

        `fault` is called after the steps `begun`, `sent` and `committed`.

        Raises:
            LogError: an earlier transaction failed. Errors of aiokafka pass through; the outcome is then unknown,
                except for ProducerFenced: nothing of it is in the log.

        """
        self._begin()
        client = self._client
        await client.begin_transaction()
        fault("begun")
        ends = await self._write(parcels)  # awaited here: aiokafka would commit without a batch that was refused
        fault("sent")
        await client.commit_transaction()
        fault("committed")
        self.broken = False
        return {place: end + 1 for place, end in ends.items()}

    def _arguments(self) -> dict[str, Any]:
        return super()._arguments() | {
            "transactional_id": self.transactional_id,
            "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
        }

    async def _abandon(self, client: Any) -> None:
        if self.broken:
            with contextlib.suppress(Exception):  # fenced, or not in a transaction; the next owner ends it as well
                await asyncio.wait_for(client.abort_transaction(), _ABANDON_SECONDS)
        await super()._abandon(client)


def owner_id(group: str, topic: str, partition: int) -> str:
    """Return the transactional id of the owner of a partition.

    >>> owner_id("quantum-mlops", "qml.events.v1", 3)
    'quantum-mlops-qml.events.v1-3'
    """
    return f"{group}-{topic}-{partition}"
