"""What appends: single batches by an idempotent producer, all else by one that has transactions."""

from collections.abc import Mapping, Sequence

from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.fetch import Place
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.transaction import BATCH_BYTES, OwnedProducer, Parcel, Producer


class Appender:
    """Writes parcels, each call whole or not at all. Blocks; used by one thread at a time.

    Args:
        loop: where the clients live.
        settings: the brokers and how to reach them.
        writer: of two appenders with one name the later fences the earlier in the middle of a transaction.

    """

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, writer: str) -> None:
        self._loop = loop
        self._settings = settings
        self._producer = Producer(settings)
        self._writer = OwnedProducer(settings, f"{settings.group}-{settings.topic_prefix}{writer}")
        self._opened: set[Producer] = set()

    def append(self, parcels: Sequence[Parcel]) -> Mapping[Place, int]:
        """Write; return the ends of the places of a transaction.

        Raises:
            LogError: nothing of it is visible, or the broker did not answer in time.

        """
        if not parcels:
            return {}
        alone = len(parcels) == 1 and sum(entry.size_bytes for entry in parcels[0].entries) < BATCH_BYTES
        producer = self._producer if alone else self._writer
        try:
            if producer not in self._opened:
                self._loop.run(producer.open(), "connecting")
                self._opened.add(producer)
            if isinstance(producer, OwnedProducer):
                return self._loop.run(producer.transact(parcels), "appending")
            self._loop.run(producer.send(parcels), "appending")
        except LogError:
            self._drop(producer)
            raise
        return {}

    def producers(self) -> list[Producer]:
        """Return those that are open."""
        return list(self._opened)

    def _drop(self, producer: Producer) -> None:
        """Give a producer up after an error; the next append makes it anew, with the secrets as they are then."""
        self._opened.discard(producer)
        if isinstance(producer, OwnedProducer):
            self._writer = OwnedProducer(self._settings, producer.transactional_id)
        else:
            self._producer = Producer(self._settings)
        self._loop.run(producer.close(), "closing a connection")
