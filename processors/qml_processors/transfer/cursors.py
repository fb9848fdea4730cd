"""Named positions of a log, carried: readers by what they had not read yet, the rest as it is."""

from qml_processors.runner.rules_log import LATEST, config_mark, partition_cursor
from qml_processors.transfer.plan import PLAN, Plan, Source
from quantum_mlops import codec
from quantum_mlops.transports.base import Log, Stream

ORIGIN, LOG_ID = "transfer/origin", "log-id"
"""The source's own id, by which a reader with a store of its own knows that it is at home here."""
_NOT_CARRIED = ("runner/attempt/", "rules/partition/", "transfer/")
_DERIVED = (Stream.FINDINGS, Stream.SUMMARIES)


class ReaderPositions:
    """Where the readers of the derived streams go on in the target: before the first record they had not read."""

    def __init__(self, source: Source, plan: Plan) -> None:
        self._read: dict[tuple[str, Stream], dict[int, int]] = {}
        for name, position in source.cursors("").items():
            parsed = parse_reader(name, plan.partitions)
            if parsed is not None and len(position) == 8:  # noqa: PLR2004 - 64 bits
                reader, stream, number = parsed
                self._read.setdefault((reader, stream), {})[number] = int.from_bytes(position, "big")
        self._unread: dict[tuple[str, Stream, int], int] = {}

    def see(self, stream: Stream, partition: int, offset: int, number: int, count: int) -> None:
        """Take note of a record that becomes the `count`-th of partition `number` of the target."""
        for (reader, known), positions in self._read.items():
            if known is stream and offset >= positions.get(partition, 0):
                self._unread.setdefault((reader, stream, number), count)

    def see_fresh(self, stream: Stream, number: int, count: int) -> None:
        """Take note of a record that nobody can have read."""
        for reader, known in self._read:
            if known is stream:
                self._unread.setdefault((reader, stream, number), count)

    def cursors(self, target: Log) -> dict[str, bytes]:
        """Return the cursors for the target, whose records are there by now."""
        found = {}
        for reader, stream in self._read:
            for number in range(target.partitions):
                unread = self._unread.get((reader, stream, number))
                at = target.end(stream, number) if unread is None else _offset(target, stream, number, unread)
                found[f"{reader}/{stream.value}/{number}"] = at.to_bytes(8, "big")
        return found


def parse_reader(name: str, partitions: int) -> tuple[str, Stream, int] | None:
    """Return (reader, stream, partition) of a reader's cursor on a derived stream, None for another one.

    >>> parse_reader("dispatcher/findings/0", 1), parse_reader("spool/seen/0", 1)
    (('dispatcher', <Stream.FINDINGS: 'findings'>, 0), None)
    """
    reader, _, rest = name.partition("/")
    stream, _, number = rest.partition("/")
    if stream not in _DERIVED or not number.isdigit() or int(number) >= partitions:
        return None
    return reader, Stream(stream), int(number)


def other_cursors(source: Source, target: Log) -> dict[str, bytes]:
    """Return the positions that mean the same in every layout, and which rules every partition has."""
    numbers = range(source.partitions)
    found = {
        name: position
        for name, position in source.cursors("").items()
        if name not in {PLAN, LOG_ID}
        and not name.startswith(_NOT_CARRIED)
        and parse_reader(name, source.partitions) is None
    }
    latest = source.cursor(LATEST)
    if latest is not None:
        mark = config_mark(codec.decode(latest))
        if any(source.cursor(partition_cursor(number)) == mark for number in numbers):
            found |= {partition_cursor(number): mark for number in range(target.partitions)}
    origin = source.cursor(LOG_ID)
    return found if origin is None else {**found, ORIGIN: origin}


def _offset(log: Log, stream: Stream, partition: int, count: int) -> int:
    """Return the offset of the `count`-th record that a partition holds, counted from 1."""
    offset = log.start(stream, partition)
    while records := log.read(stream, partition, offset, 500):
        if count <= len(records):
            return records[count - 1].offset
        count -= len(records)
        offset = records[-1].offset + 1
    return log.end(stream, partition)
