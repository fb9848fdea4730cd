"""One event to every partition at once, as a tick each second is: twelve batches in one round trip, no transaction."""

from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.records import encode_event
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics
from quantum_mlops.transports.kafka.transaction import Parcel, Producer

_TIMEOUT_SECONDS = 5.0


class Spreader:
    """At least once: where `append` raises some partitions may have the event. One thread."""

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, partitions: int) -> None:
        self._loop = loop
        self._settings = settings
        self._places = [(Topics(settings.topic_prefix).events, number) for number in range(partitions)]
        self._producer: Producer | None = None

    def append(self, event: Event) -> None:
        """Append to every partition; blocks until all have it, for some seconds at most.

        Raises:
            LogError: Kafka cannot be reached, or refuses.

        """
        entry = encode_event(event)
        parcels = [Parcel(place, [entry]) for place in self._places]
        try:
            if self._producer is None:
                producer = Producer(self._settings)
                self._loop.run(producer.open(), "connecting", _TIMEOUT_SECONDS)
                self._producer = producer
            self._loop.run(self._producer.send(parcels), "appending to every partition", _TIMEOUT_SECONDS)
        except LogError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the next append makes it anew. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._loop.run(producer.close(), "closing a connection", 2 * _TIMEOUT_SECONDS)
