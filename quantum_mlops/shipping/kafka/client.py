"""Sends batches of events to Kafka: the same face as the HTTP client, one record an event.

Not thread-safe. aiokafka is loaded at the first post, in the thread that ships. `abandon` is for a
forked child: it lets go of the parent's connections without a word on the wire.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from quantum_mlops.errors import MissingExtraError, PermanentError
from quantum_mlops.shipping.answer import Rejected
from quantum_mlops.shipping.kafka.address import KafkaAddress
from quantum_mlops.shipping.kafka.loading import load
from quantum_mlops.transports.partitioning import partition_of

if TYPE_CHECKING:
    from quantum_mlops.shipping.kafka.outbox import Outbox, Outgoing
    from quantum_mlops.shipping.loop import OwnLoop

BATCH_BYTES = 900 * 1024  # before compression; a broker takes 1 MiB after it by default


class _Keyed(Struct):
    partitionkey: str | None = None
    project: str = ""


class _Connection(Struct, frozen=True):
    loop: "OwnLoop"
    outbox: "Outbox"
    topic: str
    partitions: int


_read_keyed = msgspec.json.Decoder(_Keyed).decode


class KafkaClient:
    """The events' topic of one cluster. Connects at the first post; blocks 10 s to connect and 30 s for an answer.

    `environ` is read at each connection, and so are the files of secrets: they may be replaced while a program runs.
    """

    def __init__(self, address: KafkaAddress, environ: Mapping[str, str]) -> None:
        self.address = address
        self._environ = environ
        self._connection: _Connection | None = None
        self._batch_bytes = BATCH_BYTES
        self._acknowledged: set[bytes] = set()  # of a batch that was not acknowledged as a whole

    def post(self, events: list[bytes]) -> list[Rejected]:
        """Send the JSON of events, each as one record; return those that are too large, all others are acknowledged.

        Raises:
            RetryableError: not reachable, or not all acknowledged; what was is not sent again.
            PermanentError: not before a person mends something.

        """
        rejected: list[Rejected] = []
        waiting = [index for index, event in enumerate(events) if event not in self._acknowledged]
        while waiting:
            rejected += self._send(events, waiting)
            done = {one.index for one in rejected}
            waiting = [index for index in waiting if index not in done and events[index] not in self._acknowledged]
        self._acknowledged.clear()
        return rejected

    def check(self) -> tuple[str, int]:
        """Connect, and return the topic's name and its number of partitions; sends nothing.

        Raises:
            RetryableError: not reachable.
            PermanentError: not before a person mends something.

        """
        connection = self._connection or self._connect()
        return connection.topic, connection.partitions

    def close(self) -> None:
        """Close the connections, in 2 s at most; idempotent."""
        self._drop(broken=False)

    def abandon(self) -> None:
        """Release the connections' files in a forked child, so that nothing is said on the parent's wire."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.loop.abandon()

    def _send(self, events: list[bytes], waiting: list[int]) -> list[Rejected]:
        connection = self._connection or self._connect()
        from quantum_mlops.shipping.kafka.answer import TOO_LARGE, judge  # noqa: PLC0415 - loaded

        sent = connection.loop.run(connection.outbox.send(_address(events, waiting, connection.partitions)))
        rejected: list[Rejected] = []
        fault: Exception | None = None
        for one in sent:
            if one.error is None:
                self._acknowledged.update(record.value for record in one.records)
            elif not isinstance(one.error, TOO_LARGE):
                fault = one.error
            elif len(one.records) == 1:
                (record,) = one.records
                reason = f"{len(record.value)} bytes, more than {connection.topic} takes in a record"
                rejected.append(Rejected(record.index, reason=reason))
            else:  # learned: later batches are not longer than this topic takes
                self._batch_bytes = sum(len(record.value) for record in one.records) // 2
        if any(one.error is not None for one in sent):
            self._drop(broken=True)
        if fault is not None:
            raise judge(fault, connection.topic) from None
        return rejected

    def _connect(self) -> _Connection:
        try:
            load()
        except ModuleNotFoundError as error:
            if error.name != "aiokafka":
                raise
            missing = MissingExtraError("sending to Kafka", "kafka")
            raise PermanentError(f"cannot be reached from here: {missing}") from None
        from quantum_mlops.shipping.kafka.answer import judge  # noqa: PLC0415 - loaded
        from quantum_mlops.shipping.kafka.outbox import open_outbox  # noqa: PLC0415 - loaded
        from quantum_mlops.shipping.kafka.quiet import keep_quiet  # noqa: PLC0415 - loaded
        from quantum_mlops.shipping.loop import OwnLoop  # noqa: PLC0415 - loaded
        from quantum_mlops.transports.kafka.settings import KafkaSettings  # noqa: PLC0415 - loaded
        from quantum_mlops.transports.kafka.topics import Topics  # noqa: PLC0415 - loaded

        keep_quiet()
        loop, topic = OwnLoop(), "the events' topic"
        try:
            settings = KafkaSettings.from_target(str(self.address), self._environ)
            topic = Topics(settings.topic_prefix).events
            outbox, partitions = loop.run(open_outbox(topic, settings.client_arguments(), self._batch_bytes))
        except Exception as error:  # noqa: BLE001 - judged: what is unknown is tried again
            loop.close()
            raise judge(error, topic) from None
        self._connection = _Connection(loop, outbox, topic, partitions)
        return self._connection

    def _drop(self, *, broken: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.loop.run(connection.outbox.close(broken=broken))
            finally:
                connection.loop.close()


def _address(events: list[bytes], waiting: list[int], partitions: int) -> "list[Outgoing]":
    """Return the records of the waiting events, each with its key and the partition that Kafka's own clients choose."""
    from quantum_mlops.shipping.kafka.outbox import Outgoing  # noqa: PLC0415 - loaded
    from quantum_mlops.transports.kafka.records import ANY_PARTITION  # noqa: PLC0415 - loaded

    records = []
    for index in waiting:
        keyed = _read_keyed(events[index])
        key = keyed.project if keyed.partitionkey is None else keyed.partitionkey
        name = None if key == ANY_PARTITION else key.encode()
        records.append(Outgoing(index, partition_of(key, partitions), name, events[index]))
    return records
