"""Records as a log stores them, and the rules of appending that every log of ours shares.

A row is (offset, ingestedtime, keep, body). The body is CloudEvents JSON (the stream of dead letters:
the JSON of a DeadLetter), so that one jq reads all streams. `keep` marks rules, which retention spares.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quantum_mlops.codec import MAX_EVENT_BYTES, decode, encode
from quantum_mlops.errors import DecodeError, EventTooLargeError, LogError
from quantum_mlops.events import Event, type_name
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import DeadLetter, Record, Stream, Undecodable
from quantum_mlops.transports.partitioning import partition_of

Row: TypeAlias = tuple[int, int, bool, bytes]
Place: TypeAlias = tuple[Stream, int]

_KEPT_TYPE = type_name("config.applied")
_encode_letter = msgspec.json.Encoder().encode
_decode_letter = msgspec.json.Decoder(DeadLetter).decode


class Tail(Struct, frozen=True):
    """The end of one partition of one stream: the next offset and the last ingestedtime given."""

    end: int = 0
    last: int = 0


class Draft:
    """The rows of one transaction before it is stored: offsets and times are given, nothing is written.

    Args:
        tails: where the partitions end now; not changed.
        now: the log's clock, nanoseconds UTC.

    """

    def __init__(self, tails: Mapping[Place, Tail], now: int) -> None:
        self._before = tails
        self._now = now
        self.tails: dict[Place, Tail] = {}
        self.rows: dict[Place, list[Row]] = {}

    def add_events(self, place: Place, events: Iterable[Event]) -> None:
        """Encode `events` and place them at the end of `place`.

        Raises:
            EventTooLargeError: one of them is over the limit; the draft is then to be thrown away.

        """
        rows, tail = self._open(place)
        offset, last, now = tail.end, tail.last, self._now
        prefix = b""
        for event in events:
            given = event.ingestedtime
            if given is None:
                time, body = max(last, now), encode(event)
            else:  # an import: its time stays if the partition still runs forward
                time, body = given if given >= last else max(last, now), encode(replace(event, ingestedtime=None))
            if len(body) > MAX_EVENT_BYTES:
                raise EventTooLargeError(len(body), MAX_EVENT_BYTES)
            if time != last or not prefix:
                prefix, last = _prefix(time), time
            rows.append((offset, time, event.type == _KEPT_TYPE, prefix + body[1:]))
            offset += 1
        self.tails[place] = Tail(offset, last)

    def add_letters(self, partition: int, letters: Iterable[DeadLetter]) -> None:
        """Place dead letters; a letter without a time gets the log's."""
        place = (Stream.DEAD_LETTERS, partition)
        rows, tail = self._open(place)
        last = max(tail.last, self._now)
        for offset, letter in enumerate(letters, tail.end):
            whole = replace(letter, partition=partition, time=letter.time or self._now)
            rows.append((offset, last, False, _encode_letter(whole)))
        self.tails[place] = Tail(tail.end + len(rows), last)

    def _open(self, place: Place) -> tuple[list[Row], Tail]:
        if place not in self._before:
            raise LogError(f"this log has no partition {place[1]}")
        rows = self.rows[place] = []
        return rows, self._before[place]


def split(events: Sequence[Event], partitions: int, partition: int | None) -> Mapping[int, Sequence[Event]]:
    """Return the events by partition, in order: by their key, or all in `partition`."""
    if not events:
        return {}
    if partition is not None:
        return {partition: events}
    if partitions == 1:
        return {0: events}
    parts: dict[int, list[Event]] = {}
    for event in events:
        parts.setdefault(partition_of(event.partitionkey, partitions), []).append(event)
    return parts


def split_letters(letters: Sequence[DeadLetter]) -> Mapping[int, Sequence[DeadLetter]]:
    """Return the dead letters by the partition they name."""
    parts: dict[int, list[DeadLetter]] = {}
    for letter in letters:
        parts.setdefault(letter.partition, []).append(letter)
    return parts


def read_row(stream: Stream, offset: int, ingestedtime: int, body: bytes) -> Record:
    """Return the record of a stored row; a body that does not decode becomes Undecodable."""
    if stream is Stream.DEAD_LETTERS:
        try:
            return Record(offset, _decode_letter(body), ingestedtime)
        except (msgspec.DecodeError, ValueError) as error:
            return Record(offset, Undecodable(body, str(error)), ingestedtime)
    try:
        event = decode(body)
    except DecodeError as error:
        return Record(offset, Undecodable(body, error.reason), ingestedtime)
    if event.ingestedtime != ingestedtime:
        event = replace(event, ingestedtime=ingestedtime)
    return Record(offset, event, ingestedtime)


def _prefix(ingestedtime: int) -> bytes:
    return b'{"ingestedtime":"%b",' % format_time(ingestedtime).encode()
