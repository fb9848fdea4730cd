"""From a body to events: each one judged by itself, so that a bad one costs nobody else.

Source: CloudEvents 1.0.2 JSON format, sections 3 and 4 (batch).
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from qml_daemon.http.problem import Problem
from qml_daemon.ingest.nesting import MAX_DEPTH, nests_deeper
from quantum_mlops.clock import DAY
from quantum_mlops.codec import CONTENT_TYPE, MAX_EVENT_BYTES, decode, encode
from quantum_mlops.errors import DecodeError, EventTooLargeError
from quantum_mlops.events import SERVICE_TYPES, CalibrationSnapshot, Event, UnknownData
from quantum_mlops.sdk.settings import DEFAULT_PROJECT

BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
MAX_EVENTS = 1000
EARLIEST = 946_684_800_000_000_000
"""2000-01-01: what claims to be older comes from a clock that was never set."""
MAX_AHEAD = DAY
_EXPANSION = 8
"""A number takes at most five times its bytes when it is written again (1e15, 1000000000000000.0)."""
_STAMP_BYTES = 64

_decode_raws = msgspec.json.Decoder(list[Raw]).decode


class Rejected(Struct, frozen=True, kw_only=True):
    """One event that was not taken: its place in the request, its id where it could be read, and why.

    `code` is one of malformed, too_large, too_deep, reserved_type, time.
    """

    index: int
    id: str | None
    code: str
    reason: str


class Judged(Struct, frozen=True):
    """The events to store, where each stood in the request, and the rest with the reasons."""

    events: list[Event]
    places: list[int]
    rejected: list[Rejected]


class _Named(Struct):
    id: str | None = None


_decode_named = msgspec.json.Decoder(_Named).decode


def split(body: bytes, content_type: str) -> Sequence[bytes | Raw]:
    """Return the JSON of each event.

    Raises:
        Problem: 400 the body is no JSON list, 413 too many events, 415 another content type.

    """
    kind, _, parameters = content_type.partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    kind = kind.strip().lower()
    if kind not in {CONTENT_TYPE, BATCH_CONTENT_TYPE} or charset not in {"", "utf-8"}:
        detail = f"send {CONTENT_TYPE} (one event) or {BATCH_CONTENT_TYPE} (a list of them), in UTF-8"
        raise Problem(415, detail, {"Accept": f"{CONTENT_TYPE}, {BATCH_CONTENT_TYPE}"})
    if kind == CONTENT_TYPE:
        return [body]
    try:
        raws = _decode_raws(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON list of events: {error}") from None
    if len(raws) > MAX_EVENTS:
        raise Problem(413, f"{len(raws)} events; a batch has at most {MAX_EVENTS}")
    return raws


def judge(raws: Sequence[bytes | Raw], project: str | None, now: int) -> Judged:
    """Decode each event once and stamp it; `project` None leaves the event's own. Never raises on content."""
    judged = Judged([], [], [])
    for index, raw in enumerate(raws):
        data = bytes(raw)
        size = len(data)
        if size > MAX_EVENT_BYTES:
            reason = str(EventTooLargeError(size, MAX_EVENT_BYTES))
            judged.rejected.append(Rejected(index=index, id=_name(data), code="too_large", reason=reason))
            continue
        if nests_deeper(data):
            reason = f"nested deeper than {MAX_DEPTH} levels"
            judged.rejected.append(Rejected(index=index, id=None, code="too_deep", reason=reason))
            continue
        try:
            event = decode(data)
        except DecodeError as error:
            judged.rejected.append(Rejected(index=index, id=_name(data), code="malformed", reason=error.reason))
            continue
        refused = _refuse(event, now)
        if refused is None:
            event = stamp(event, project, now)
            if size * _EXPANSION > MAX_EVENT_BYTES:
                refused = refuse_size(event)
        if refused is None:
            judged.events.append(event)
            judged.places.append(index)
        else:
            judged.rejected.append(Rejected(index=index, id=event.id, code=refused[0], reason=refused[1]))
    return judged


def stamp(event: Event, project: str | None, now: int) -> Event:
    """Return the event as its owner's: project, partition key, no ingested time of its own.

    A run event's partition key is its project, whatever it says; a calibration's is its backend. `project`
    None takes what the event says. An event without a time gets `now`.
    """
    owner = event.project or DEFAULT_PROJECT if project is None else project
    data = event.data
    if isinstance(data, CalibrationSnapshot):
        key = data.backend
    elif project is not None or event.partitionkey == event.project:
        key = owner
    else:
        key = event.partitionkey
    if isinstance(data, UnknownData) and b"\n" in bytes(data.json):
        data = UnknownData(Raw(msgspec.json.format(bytes(data.json), indent=-1)))
    return Event(
        id=event.id,
        source=event.source,
        type=event.type,
        time=event.time or now,
        partitionkey=key,
        project=owner,
        context=event.context,
        data=data,
    )


def refuse_size(event: Event) -> tuple[str, str] | None:
    """Return why the log would not take the event as it is written again, or None."""
    try:
        size = len(encode(event)) + _STAMP_BYTES
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        return "malformed", f"cannot be written: {error}"
    return None if size <= MAX_EVENT_BYTES else ("too_large", str(EventTooLargeError(size, MAX_EVENT_BYTES)))


def sort_out(judged: Judged) -> Judged:
    """Return the same with every event tried that the log may refuse; for the rare batch that it did refuse."""
    again = Judged([], [], list(judged.rejected))
    for event, index in zip(judged.events, judged.places, strict=True):
        refused = refuse_size(event)
        if refused is None:
            again.events.append(event)
            again.places.append(index)
        else:
            again.rejected.append(Rejected(index=index, id=event.id, code=refused[0], reason=refused[1]))
    return again


def _refuse(event: Event, now: int) -> tuple[str, str] | None:
    if event.type in SERVICE_TYPES:
        return "reserved_type", f"{event.type} is made by the service itself"
    if event.time and not EARLIEST <= event.time <= now + MAX_AHEAD:
        return "time", "time lies before 2000 or more than a day ahead; check the sender's clock"
    return None


def _name(data: bytes) -> str | None:
    try:
        found = _decode_named(data).id
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if found is None else found[:512]
