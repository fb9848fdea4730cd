"""Finds numbers that JSON does not have in packed data, cheaply: most bytes are cleared by four searches."""

import math
from typing import Any

import msgspec

_decode = msgspec.msgpack.Decoder().decode


def may_hold_nonfinite(packed: bytes) -> bool:
    """Return False where no msgpack value in these bytes can be NaN or infinite."""
    # A float 64 (0xcb) or 32 (0xca) whose exponent begins with ones; other bytes may look like it.
    return b"\xcb\x7f" in packed or b"\xcb\xff" in packed or b"\xca\x7f" in packed or b"\xca\xff" in packed


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
