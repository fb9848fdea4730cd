"""What the log says of findings: each with its life, folded from its transitions."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from qml_daemon.finding import FindingHistory, fold_finding
from qml_daemon.kafka.access import kafka_settings, open_kafka
from qml_daemon.places import store_path
from quantum_mlops.config.load import is_file
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import UserError
from quantum_mlops.events import Event, FindingChanged
from quantum_mlops.transports.base import Record, Stream
from quantum_mlops.transports.sqlite import SqliteLog

_CHUNK = 1000


class LogReader(Protocol):
    """What a command reads of a log: a SQLite file, with or without a daemon, or Kafka."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...

    def seek(self, stream: Stream, partition: int, ingestedtime: int) -> int:
        """Return the first offset that may hold a record ingested at or after `ingestedtime`."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


def open_store(config: Config, path: Path | None = None) -> LogReader:
    """Return a reader of the configured log, or of the file at `path`.

    Raises:
        UserError: there is none, or it cannot be looked at.
        LogError: it cannot be read.

    """
    if path is None and config.log.kind == "memory":
        raise UserError("this log is in memory ([log] kind) and ends with the daemon; there is no file to read")
    if path is None and config.log.kind == "kafka":
        return open_kafka(kafka_settings(config), "reader")
    place = path or store_path(config)
    if not is_file(place):
        raise UserError(f"{place}: no log there yet; {_where_it_may_be(os.environ.get('QML_TARGET', ''))}")
    return SqliteLog.open_reader(place)


def _where_it_may_be(target: str) -> str:
    """Say what to do where there is no log; of a target that is a service only the host, it may hold a secret.

    >>> _where_it_may_be("https://monitor.example:8765/qml")
    'programs here send to the service at monitor.example (QML_TARGET): its page and its commands are there'
    >>> _where_it_may_be("http://[monitor")
    'start `quantum-mlops daemon`, or name its --config'
    """
    try:
        host = urlsplit(target).hostname if target.startswith(("http://", "https://")) else None
    except ValueError:  # no address; whoever sends is told so
        host = None
    if host is None:
        return "start `quantum-mlops daemon`, or name its --config"
    return f"programs here send to the service at {host} (QML_TARGET): its page and its commands are there"


def read_records(reader: LogReader, stream: Stream, start: dict[int, int] | None = None) -> Iterator[Record]:
    """Yield all records of a stream, partition by partition, from `start` on."""
    for partition in range(reader.partitions):
        offset = (start or {}).get(partition, 0)
        while records := reader.read(stream, partition, offset, _CHUNK):
            yield from records
            offset = records[-1].offset + 1


def fold_findings(events: Iterator[Event]) -> list[FindingHistory]:
    """Return one history a finding, in the order in which they opened."""
    found: dict[str, FindingHistory] = {}
    for event in events:
        data = event.data
        if isinstance(data, FindingChanged):
            found[data.finding_id] = fold_finding(found.get(data.finding_id), event, data)
    return sorted(found.values(), key=lambda one: (one.opened, one.finding_id))


def read_findings(reader: LogReader) -> list[FindingHistory]:
    """Return all findings that the log still holds."""
    records = read_records(reader, Stream.FINDINGS)
    return fold_findings(record.event for record in records if isinstance(record.event, Event))
