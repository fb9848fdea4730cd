"""A part of a log, by time, as a replay reads it."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from qml_daemon.history import LogReader
from qml_processors.runner.rules_log import LATEST
from quantum_mlops import codec
from quantum_mlops.transports.base import Record, Stream

FOREVER = 2**63 - 1


class Span(Struct, frozen=True, kw_only=True):
    """A replay reads from `begin` to before `until`; shown is what happened from `since` on (nanoseconds UTC)."""

    begin: int = 0
    since: int = 0
    until: int = FOREVER


WHOLE = Span()


class SpannedLog:
    """The events of `reader` that were ingested in a span. Begun in the middle it has the newest rules first."""

    def __init__(self, reader: LogReader, span: Span) -> None:
        self.partitions = reader.partitions
        self._reader = reader
        self._span = span
        self._starts = [self._begin(number) for number in range(reader.partitions)]

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        return self._starts[partition] if stream is Stream.EVENTS else self._reader.start(stream, partition)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        records: list[Record] = []
        if self._span.begin and offset == self._starts[partition]:
            records += self._rules(offset)
        found = self._reader.read(stream, partition, offset, limit)
        end = next((at for at, one in enumerate(found) if one.ingestedtime >= self._span.until), len(found))
        return records + list(found[:end]) if end else []

    def _begin(self, partition: int) -> int:
        """Return where to begin; what was imported later than it was ingested lies behind that and is passed over."""
        reader, begin = self._reader, self._span.begin
        if not begin:
            return reader.start(Stream.EVENTS, partition)
        offset = reader.seek(Stream.EVENTS, partition, begin)
        while records := reader.read(Stream.EVENTS, partition, offset, 500):
            for record in records:
                if record.ingestedtime >= begin:
                    return record.offset
            offset = records[-1].offset + 1
        return offset

    def _rules(self, offset: int) -> list[Record]:
        stored = self._reader.cursor(LATEST)
        if stored is None or not offset:
            return []
        time = self._span.begin - 1
        return [Record(offset - 1, replace(codec.decode(stored), ingestedtime=time), time)]
