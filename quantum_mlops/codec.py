"""CloudEvents 1.0 structured JSON: the one shape of an event at every door and in the log.

`encode` and `decode` are inverse for every event of the contract; types that this version does not
know keep their data as it came. Both are pure and thread-safe.

Source: CloudEvents 1.0.2 JSON format, section 3; docs/architecture.md, "Envelope".
"""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from quantum_mlops.errors import DecodeError
from quantum_mlops.events import DATA_TYPES, Context, Event, UnknownData
from quantum_mlops.events.envelope import Label, Name, Step
from quantum_mlops.timestamps import format_time, parse_time

MAX_EVENT_BYTES = 64 * 1024
CONTENT_TYPE = "application/cloudevents+json"
_JSON = "application/json"
_NO_DATA = Raw(b"{}")
_EMPTY = Context()
_parse_ingested = lru_cache(maxsize=64)(parse_time)  # all events of one append share it
_format_ingested = lru_cache(maxsize=64)(format_time)


class _Wire(Struct, omit_defaults=True, gc=False):
    """The JSON object, attribute for attribute."""

    id: Name
    source: Name
    type: Name
    specversion: str | UnsetType = UNSET
    time: str | None = None
    partitionkey: Label | None = None
    project: Label = ""
    datacontenttype: str | None = None
    subject: Label | None = None
    runid: Label | None = None
    step: Step | None = None
    experimentid: Label | None = None
    variant: Label | None = None
    blockid: Label | None = None
    mlflowrunid: Label | None = None
    traceparent: Label | None = None
    ingestedtime: str | None = None
    data: Raw = field(default=_NO_DATA)


_encoder = msgspec.json.Encoder()
_decode_wire = msgspec.json.Decoder(_Wire).decode
_decode_data = {name: msgspec.json.Decoder(data).decode for name, data in DATA_TYPES.items()}


def encode_data(data: Struct) -> bytes:
    """Return the JSON bytes of an event's data."""
    return bytes(data.json) if isinstance(data, UnknownData) else _encoder.encode(data)


def encode(event: Event) -> bytes:
    """Return the CloudEvents JSON of `event`, UTF-8, without line breaks.

    Raises:
        msgspec.ValidationError: never for an event that `decode` made.

    """
    context = event.context
    ingested = event.ingestedtime
    return _encoder.encode(
        _Wire(
            event.id,
            event.source,
            event.type,
            "1.0",
            format_time(event.time),
            event.partitionkey,
            event.project,
            _JSON,
            context.subject,
            context.runid,
            context.step,
            context.experimentid,
            context.variant,
            context.blockid,
            context.mlflowrunid,
            context.traceparent,
            None if ingested is None else _format_ingested(ingested),
            Raw(encode_data(event.data)),
        )
    )


def decode(data: bytes) -> Event:
    """Return the event in `data`.

    An absent `time` becomes the ingested time, or 0 where there is none; an absent `partitionkey` becomes the project.

    Raises:
        DecodeError: the bytes are no event of this contract; the reason names the place.

    """
    try:
        wire = _decode_wire(data)
        if wire.specversion != "1.0":
            _refuse(f'specversion must be "1.0", not {wire.specversion!r}', data)
        ingested = None if wire.ingestedtime is None else _parse_ingested(wire.ingestedtime)
        time = parse_time(wire.time) if wire.time is not None else ingested or 0
        decoder = _decode_data.get(wire.type)
        payload = UnknownData(wire.data.copy()) if decoder is None else decoder(wire.data)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise DecodeError(str(error)[:500] or type(error).__name__, data) from error
    return Event(
        id=wire.id,
        source=wire.source,
        type=wire.type,
        time=time,
        partitionkey=wire.project if wire.partitionkey is None else wire.partitionkey,
        project=wire.project,
        context=_context(wire),
        ingestedtime=ingested,
        data=payload,
    )


def _refuse(reason: str, data: bytes) -> None:
    raise DecodeError(reason, data)


def _context(wire: _Wire) -> Context:
    if (
        wire.runid is None
        and wire.subject is None
        and wire.experimentid is None
        and wire.mlflowrunid is None
        and wire.step is None
        and wire.traceparent is None
        and wire.variant is None
        and wire.blockid is None
    ):
        return _EMPTY
    return Context(
        subject=wire.subject,
        runid=wire.runid,
        step=wire.step,
        experimentid=wire.experimentid,
        variant=wire.variant,
        blockid=wire.blockid,
        mlflowrunid=wire.mlflowrunid,
        traceparent=wire.traceparent,
    )


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys: equal values give equal bytes, in every process.

    >>> canonical_json({"b": 1, "a": [2.0]})
    b'{"a":[2.0],"b":1}'
    """
    return msgspec.json.encode(value, order="deterministic")


def digest(value: Any, size_bytes: int = 16) -> str:
    """Return the hex SHA-256 of the canonical JSON of `value`, cut to `size_bytes`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[: 2 * size_bytes]
