"""A log on Kafka as a process beside the daemon reads it on and on: an exporter."""

from collections.abc import Sequence

from qml_daemon.kafka.access import open_kafka
from quantum_mlops.transports.base import Record, Stream
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.tail import Tail


class KafkaReader:
    """See `LogReader`. Reads ahead: a look where nothing is new asks no broker. One thread.

    Args:
        settings: how to reach Kafka.
        name: of the program, for the brokers.

    Raises:
        ConfigError, LogError: see `KafkaLog`.

    """

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._log = open_kafka(settings, name)
        self._loop = KafkaLoop(settings.servers)
        self.partitions = self._log.partitions
        self._tail = Tail(self._loop, settings, self.partitions)
        self._followed: set[tuple[Stream, int]] = set()
        self.start = self._log.start
        self.seek = self._log.seek
        self.cursor = self._log.cursor

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`; nothing at first, until a broker has answered."""
        self._followed.add((stream, partition))
        return self._tail.read(stream, partition, offset, limit)

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`; of what was read, as far as it is known here."""
        source = self._tail if (stream, partition) in self._followed else self._log
        return source.end(stream, partition)

    def close(self) -> None:
        """Let go; idempotent."""
        self._tail.close()
        self._loop.close()
        self._log.close()
