"""Finds numbers that JSON does not have in packed data, cheaply: most bytes are cleared by one search."""

import math
import re
from typing import Any

import msgspec

# msgpack float 64 or float 32 whose exponent bits are all ones (other bytes may look like it)
_SUSPECT = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]|\xca[\x7f\xff][\x80-\xff]")
_decode = msgspec.msgpack.Decoder().decode


def may_hold_nonfinite(packed: bytes) -> bool:
    """Return False where no msgpack value in these bytes can be NaN or infinite."""
    return _SUSPECT.search(packed) is not None


def holds_nonfinite(packed: bytes) -> bool:
    """Return whether a packed value contains NaN or an infinity.

    Raises:
        msgspec.DecodeError: the bytes are no msgpack.

    >>> holds_nonfinite(msgspec.msgpack.encode({"a": [1.0, float("nan")]}))
    True

    """
    return may_hold_nonfinite(packed) and _has_nonfinite(_decode(packed))


def _has_nonfinite(value: Any) -> bool:
    match value:
        case float():
            return not math.isfinite(value)
        case dict():
            return any(map(_has_nonfinite, value.values()))
        case list():
            return any(map(_has_nonfinite, value))
        case _:
            return False
