"""Events, dead letters and checkpoint rows as Kafka records, and back.

An event's value is its CloudEvents JSON, as kcat, Connect or Flink read it too. The time of a record is the
broker's (LogAppendTime); an `ingestedtime` in the JSON stands over it, for that is an import's.
"""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from quantum_mlops.codec import CONTENT_TYPE, MAX_EVENT_BYTES, decode, encode
from quantum_mlops.errors import DecodeError, EventTooLargeError
from quantum_mlops.events import Event
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import DeadLetter, Record, Stream, Undecodable

WATERMARK = b"watermark"
ANY_PARTITION = "*"
_HEADERS = [("content-type", CONTENT_TYPE.encode())]
_JSON_HEADERS = [("content-type", b"application/json")]
_MAX_VALUE_BYTES = MAX_EVENT_BYTES + 1024  # an import's time stands in the JSON besides
_MAX_KEPT_BYTES = 4 * 1024 * 1024
"""Of bytes that are no event; what compresses well may unpack to more than any dead letter can hold."""
_NANOSECONDS = 1_000_000
_AHEAD = 60_000 * _NANOSECONDS
"""An import's times lie in the past; one further ahead of the broker's would move a partition's clock for good."""
_encode_letter = msgspec.json.Encoder().encode
_decode_letter = msgspec.json.Decoder(DeadLetter).decode


class Entry(NamedTuple):
    """A record to write. A value of None deletes the key in a compacted topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def size_bytes(self) -> int:
        """About what it takes in a batch."""
        return len(self.key or b"") + len(self.value or b"") + 80


def encode_event(event: Event) -> Entry:
    """Return the record of an event.

    Raises:
        EventTooLargeError: over 64 KiB, without its `ingestedtime`.

    """
    given = event.ingestedtime
    body = encode(event if given is None else replace(event, ingestedtime=None))
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLargeError(len(body), MAX_EVENT_BYTES)
    if given is not None:
        body = b'{"ingestedtime":"%b",' % format_time(given).encode() + body[1:]
    key = None if event.partitionkey == ANY_PARTITION else event.partitionkey.encode("utf-8", "surrogatepass")
    return Entry(key, body, _HEADERS)


def encode_letter(letter: DeadLetter) -> Entry:
    """Return the record of a dead letter; its key is the event's source, where that is known."""
    return Entry(
        letter.key[0].encode("utf-8", "surrogatepass") if letter.key else None, _encode_letter(letter), _JSON_HEADERS
    )


def encode_row(key: bytes, value: bytes | None) -> Entry:
    """Return the record of a checkpoint row or of a cursor; None is a tombstone."""
    return Entry(key, value, [])


def decode_record(stream: Stream, offset: int, timestamp_ms: int, value: bytes | None) -> Record:
    """Return what a record of `stream` holds. Bytes that are none of ours become Undecodable."""
    time = max(timestamp_ms, 0) * _NANOSECONDS
    try:
        held = _decode_letter_of(value, time) if stream is Stream.DEAD_LETTERS else _decode_event(value, time)
    except DecodeError as error:
        return Record(offset, Undecodable(error.data, error.reason), time)
    given = held.ingestedtime if isinstance(held, Event) else None
    return Record(offset, held, time if given is None else given)


def _decode_event(value: bytes | None, time: int) -> Event:
    if value is None:
        raise DecodeError("a record without a value", b"")
    if len(value) > _MAX_VALUE_BYTES:
        kept = "" if len(value) <= _MAX_KEPT_BYTES else f"; the first {_MAX_KEPT_BYTES} are kept"
        reason = f"{len(value)} bytes are over the limit of {MAX_EVENT_BYTES}{kept}"
        raise DecodeError(reason, value[:_MAX_KEPT_BYTES])
    event = decode(value)
    given = event.ingestedtime
    return replace(event, ingestedtime=time) if given is None or given > time + _AHEAD else event


def _decode_letter_of(value: bytes | None, time: int) -> DeadLetter:
    try:
        letter = _decode_letter(value or b"")
    except (msgspec.DecodeError, ValueError) as error:
        raise DecodeError(str(error), value or b"") from error
    return letter if letter.time else replace(letter, time=time)
