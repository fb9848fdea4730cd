"""The evidence bundle of a finding: what reproduces it, as JSON text.

It holds the state before the step (msgpack, in base64: exact to the byte), the event or the due time,
the rules in force, and what the finding's id is made of. `reproduce` runs the step again.
"""

import base64
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from qml_processors.base import Output, Processor
from qml_processors.runner.cause import Cause
from qml_processors.runner.identity import finding_id
from qml_processors.runner.series import Series, series_name
from quantum_mlops import codec
from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import DecodeError
from quantum_mlops.events import Event

MAX_STATE_BYTES = 24 * 1024
"""The largest state that a bundle holds, before base64; 32 KiB after it."""
MAX_BUNDLE_BYTES = 48 * 1024
"""The longest bundle, as text. The rest of the 64 KiB of a derived event is for what the finding says."""
_NO_EVENT = Raw(b"null")


class Bundle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of a bundle. `armed` is the (source, id) and `opening` the count in the finding's id."""

    processor: str
    version: int
    partitionkey: str
    key: str
    state: str
    time: int
    armed: tuple[str, str]
    opening: int
    rules: Rules
    event: Raw = _NO_EVENT


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Bundle).decode


def pack(series: Series, cause: Cause, opening: int) -> str | None:
    """Return the bundle of a finding, or None where there is none or it is over the limit."""
    if cause.before is None or len(cause.before) > MAX_STATE_BYTES:
        return None
    data = _encode(
        Bundle(
            processor=series.slot.name,
            version=series.slot.version,
            partitionkey=series.partitionkey,
            key=series.key,
            state=base64.b64encode(cause.before).decode(),
            time=cause.time,
            armed=(cause.source, cause.id),
            opening=opening,
            rules=cause.config.rules,
            event=_NO_EVENT if cause.event is None else Raw(codec.encode(cause.event)),
        )
    )
    return data.decode() if len(data) <= MAX_BUNDLE_BYTES else None


def unpack(text: str) -> Bundle:
    """Return the parts of a bundle.

    Raises:
        DecodeError: the text is no bundle.

    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(f"no bundle: {error}", text.encode()) from error


def reproduce(bundle: Bundle, processor: Processor[Any]) -> Iterable[Output]:
    """Run the step of the bundle again and return what the processor says.

    A state of an older version is migrated, as the runner does.

    Raises:
        DecodeError: the bundle's state or event cannot be read.
        StateTooNewError: the bundle is of a newer version of the processor.

    """
    state = _state_of(bundle, processor)
    if bundle.event == _NO_EVENT:
        return list(processor.on_timer(state, bundle.time, bundle.rules))
    return list(processor.apply(state, event_of(bundle, bundle.event), bundle.rules))


def identify(bundle: Bundle, rule: str) -> str:
    """Return the id that a finding of `rule` from this bundle has."""
    return finding_id(
        rule, series_name(bundle.processor, bundle.partitionkey, bundle.key), *bundle.armed, bundle.opening
    )


def _state_of(bundle: Bundle, processor: Processor[Any]) -> Any:
    try:
        raw = base64.b64decode(bundle.state, validate=True)
        if bundle.version == processor.version:
            return msgspec.msgpack.decode(raw, type=processor.state)
        return processor.migrate(raw, bundle.version)
    except (ValueError, msgspec.DecodeError) as error:
        raise DecodeError(f"no bundle: its state: {error}", bundle.state.encode()) from error


def event_of(bundle: Bundle, raw: Raw) -> Event:
    """Return the bundle's event as its processor saw it."""
    event = codec.decode(bytes(raw))
    return msgspec.structs.replace(event, ingestedtime=bundle.time)
