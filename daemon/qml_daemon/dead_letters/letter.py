"""One dead letter as the operator sees it, and which ones are wanted."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from qml_daemon.dead_letters.marks import Mark
from quantum_mlops.transports.base import DeadLetter, Record, Stream

_CHUNK = 500


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter with its place; `id` is `<partition>/<offset>`, times are nanoseconds UTC.

    `key` is the (source, id) of the event where it is known; `retried` is when it was put back in.
    """

    id: str
    time: int
    origin: str
    reason: str
    key: tuple[str, str] | None
    data: bytes
    digest: str
    retried: int | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """A filter; what is None does not filter. `origin` and `reason` are parts of the text, in any case."""

    origin: str | None = None
    reason: str | None = None
    since: int = 0

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is wanted.

        >>> letter = Letter(id="0/1", time=5, origin="spool", reason="No event", key=None, data=b"", digest="")
        >>> Wanted(reason="event").takes(letter), Wanted(origin="log").takes(letter), Wanted(since=6).takes(letter)
        (True, False, False)
        """
        return (
            letter.time >= self.since
            and (self.origin is None or self.origin.lower() in letter.origin.lower())
            and (self.reason is None or self.reason.lower() in letter.reason.lower())
        )


class LetterLog(Protocol):
    """What this room needs of a log or its reader."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...


def read_letters(log: LetterLog, marks: Mapping[str, Mark], wanted: Wanted) -> Iterator[Letter]:
    """Yield the wanted letters that the log holds now, partition by partition.

    Raises:
        LogError: the log fails.

    """
    for partition in range(log.partitions):
        offset, end = log.start(Stream.DEAD_LETTERS, partition), log.end(Stream.DEAD_LETTERS, partition)
        while offset < end and (records := log.read(Stream.DEAD_LETTERS, partition, offset, _CHUNK)):
            for record in records:
                letter = as_letter(partition, record, marks)
                if letter is not None and wanted.takes(letter):
                    yield letter
            offset = records[-1].offset + 1


def find_letter(log: LetterLog, marks: Mapping[str, Mark], partition: int, offset: int) -> Letter | None:
    """Return the letter at a place, or None where there is none (any more)."""
    if not 0 <= partition < log.partitions or offset < 0:
        return None
    records = log.read(Stream.DEAD_LETTERS, partition, offset, 1)
    return as_letter(partition, records[0], marks) if records and records[0].offset == offset else None


def parse_place(text: str) -> tuple[int, int] | None:
    """Return (partition, offset) of a letter's id, None where it is none.

    >>> parse_place("3/17"), parse_place("17"), parse_place("3/x")
    ((3, 17), (0, 17), None)
    """
    first, slash, second = text.partition("/")
    parts = (first, second) if slash else ("0", first)
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):  # noqa: PLR2004 - fits 64 bits
        return None
    return int(parts[0]), int(parts[1])


def as_letter(partition: int, record: Record, marks: Mapping[str, Mark]) -> Letter | None:
    """Return the letter of a record; bytes that are no letter are shown as one."""
    found = record.event
    place = f"{partition}/{record.offset}"
    if not isinstance(found, DeadLetter):
        data = getattr(found, "data", b"")
        found = DeadLetter(data=data if isinstance(data, bytes) else b"", reason="no dead letter", origin="unknown")
    digest = hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:32]
    mark = marks.get(place)
    return Letter(
        id=place,
        time=found.time or record.ingestedtime,
        origin=found.origin,
        reason=found.reason,
        key=found.key,
        data=found.data,
        digest=digest,
        retried=mark.time if mark is not None and mark.digest == digest else None,
    )
