"""Identities of what is derived: the same on every replay, in every process, in any partition layout."""

import hashlib

import msgspec

_ID_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode


def finding_id(rule: str, series: str, source: str, event_id: str, opening: int) -> str:
    """Return the id of a finding, 32 hex digits.

    `source` and `event_id` name the event that opened it or armed the timer that did; `opening`
    counts the earlier openings in this series by that event.

    >>> finding_id("CircuitDrift", "iris/drift/k", "qml://host/0a1b/0", "000000000000001f", 0)
    '2034a0015e89b3364502894c6602333d'
    """
    return _digest((rule, series, source, event_id, opening))


def summary_id(kind: str, series: str, end: int) -> str:
    """Return the id of a summary: its series (digested, since a name may be long) and its end."""
    return f"{_digest((kind, series))}-{end}"


def derived_source(processor: str) -> str:
    """Return the `source` of the events that a processor derives."""
    return f"qml://derived/{processor}"


def _digest(parts: tuple[str | int, ...]) -> str:
    return hashlib.sha256(_encode(parts)).digest()[:_ID_BYTES].hex()
