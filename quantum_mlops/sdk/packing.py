"""Turns what a caller gave into the packed record of a valid event, or refuses it.

Pure. Everything is checked against the contract here, in the writer thread, so that what reaches the
spool can be read: types, limits, finite numbers, and the 64 KiB of JSON that an event may have.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from quantum_mlops import codec
from quantum_mlops.events import DATA_TYPES, SERVICE_TYPES, SHORT_NAMES, Context, Event, UnknownData, type_name
from quantum_mlops.sdk.scalars import host_scalar
from quantum_mlops.spool.nonfinite import holds_nonfinite
from quantum_mlops.spool.segment import SpoolRecord

_ENVELOPE_BYTES = 4096
_JSON_PER_MSGPACK = 6  # one byte of msgpack becomes at most six of JSON: false, or a control character
_MAX_LABEL = 512
_STEPS = 2**31
_TIMES = 2**63
_MAP_BYTES = frozenset(bytes([byte]) for byte in (*range(0x80, 0x90), 0xDE, 0xDF))
_NO_CONTEXT = Context()

_FULL = {short: type_name(short) for short in SHORT_NAMES} | {name: name for name in DATA_TYPES}
_encoder = msgspec.msgpack.Encoder(enc_hook=host_scalar)
_encode_json = msgspec.json.Encoder(enc_hook=host_scalar).encode
_encode_record = msgspec.msgpack.Encoder().encode
_decoders = {name: msgspec.msgpack.Decoder(data).decode for name, data in DATA_TYPES.items()}
_decode_any = msgspec.msgpack.Decoder().decode


class RefusedError(ValueError):
    """This event cannot be sent; `reason` is the name under which the loss is counted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def full_type(kind: str) -> str:
    """Return the CloudEvents type of a short name; other types are their own.

    Raises:
        RefusedError: no type that an emitter may send.

    >>> full_type("job.completed"), full_type("com.example.note")
    ('quantum_mlops.job.completed.v1', 'com.example.note')

    """
    name = _FULL.get(kind) or kind
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_LABEL:
        raise RefusedError("invalid", f"a type is a text of 1 to {_MAX_LABEL} characters")
    if name in SERVICE_TYPES:
        raise RefusedError("invalid", "this type is made by the service itself")
    return name


def pack_data(name: str, data: object) -> bytes:
    """Return the msgpack of an event's data, valid against the contract; bytes are such msgpack already.

    Raises:
        RefusedError: it has no named fields or other ones than the type's, or holds a number that JSON has not.
        Exception: what msgspec or the objects in it raise.

    """
    expected = DATA_TYPES.get(name)
    ready = type(data) is bytes or type(data) is expected
    if expected is not None and not ready:
        if not isinstance(data, Mapping):
            raise RefusedError("invalid", f"data is a {expected.__name__} or a mapping of its fields")
        if unknown := {str(key) for key in data} - set(expected.__struct_fields__):
            raise RefusedError("invalid", f"{expected.__name__} has no field {', '.join(sorted(unknown))}")
    packed = data if isinstance(data, bytes) else _encoder.encode(data)
    if expected is not None:
        valid = _decoders[name](packed)
        packed = packed if ready else _encoder.encode(valid)
    elif packed[:1] not in _MAP_BYTES:
        raise RefusedError("invalid", "data is an object with named fields")
    else:
        _encode_json(_decode_any(packed))
    if holds_nonfinite(packed):
        raise RefusedError("invalid", "a number is not finite; JSON has no such number")
    return packed


def merge_context(run: Context | None, step: int | None, extra: Mapping[str, Any] | None) -> Context:
    """Return the context of an event: the run's, its step, and what the caller adds.

    Raises:
        RefusedError: an attribute that the contract does not have.
        msgspec.ValidationError: a value that does not fit.

    >>> merge_context(Context(runid="r"), 3, {"subject": "s"}).step
    3

    """
    base = run or _NO_CONTEXT
    if extra is not None and len(extra) == 1 and "step" in extra:
        step, extra = extra["step"], None
    if not extra and step is None:
        return base
    if not extra and type(step) is int and 0 <= step < _STEPS:
        return replace(base, step=step)
    fields = {name: value for name, value in msgspec.structs.asdict(base).items() if value is not None}
    given = {"step": step} | dict(extra or {})
    fields |= {name: _plain(value) for name, value in given.items() if value is not None}
    unknown = fields.keys() - set(Context.__struct_fields__)
    if unknown:
        raise RefusedError("invalid", f"no context attribute of the contract: {', '.join(sorted(unknown))}")
    return msgspec.convert(fields, Context)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else host_scalar(value)


def pack_record(record: SpoolRecord, source: str) -> bytes:
    """Return the bytes of a record.

    Raises:
        RefusedError: as JSON the event would be over the limit of the contract.
        ValueError: a text that is no Unicode, a number out of range.

    """
    if not isinstance(record.partitionkey, str) or len(record.partitionkey) > _MAX_LABEL:
        raise RefusedError("invalid", f"a partition key is a text of at most {_MAX_LABEL} characters")
    if type(record.time) is not int or not 0 <= record.time < _TIMES:
        raise RefusedError("invalid", "a time is an int of nanoseconds UTC since 1970")
    packed = _encode_record(record)
    if len(packed) * _JSON_PER_MSGPACK + _ENVELOPE_BYTES > codec.MAX_EVENT_BYTES:
        size = _exact_size_bytes(record, source)
        if size > codec.MAX_EVENT_BYTES:
            raise RefusedError("too_large", f"{size} bytes of JSON, at most {codec.MAX_EVENT_BYTES}")
    return packed


def _exact_size_bytes(record: SpoolRecord, source: str) -> int:
    decode = _decoders.get(record.type)
    data: Struct = decode(record.data) if decode else UnknownData(Raw(_encode_json(_decode_any(record.data))))
    event = Event(
        id=f"{record.sequence:016x}",
        source=source,
        type=record.type,
        time=record.time,
        partitionkey=record.partitionkey,
        project=record.project,
        context=record.context,
        ingestedtime=record.time,
        data=data,
    )
    return len(codec.encode(event))


def event_size_bytes(name: str, data: object) -> int:
    """Return an upper bound of an event's JSON, for builders that choose between full data and statistics.

    Raises:
        Exception: what msgspec or the objects in `data` raise.

    >>> event_size_bytes("com.example.note", {"text": "x" * 100}) < 64 * 1024
    True

    """
    return len(_encode_json(data)) + len(name) + _ENVELOPE_BYTES
