"""Durations as Prometheus writes them: `30s`, `5m`, `1h30m`, `7d`.

Source: Prometheus documentation, "Configuration", placeholder `<duration>`.
"""

import re
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

PATTERN = r"^(0|((\d{1,9})w)?((\d{1,9})d)?((\d{1,9})h)?((\d{1,9})m)?((\d{1,9})s)?((\d{1,9})ms)?)$"
Duration = Annotated[str, Meta(pattern=PATTERN, min_length=1)]
"""A duration in a Config; `parse_duration` gives its nanoseconds."""

_UNITS = (
    (3, 7 * 86_400_000_000_000),
    (5, 86_400_000_000_000),
    (7, 3_600_000_000_000),
    (9, 60_000_000_000),
    (11, 1_000_000_000),
    (13, 1_000_000),
)
_DURATION = re.compile(PATTERN)


@lru_cache(maxsize=256)
def parse_duration(text: str) -> int:
    """Return the nanoseconds of `text`.

    Raises:
        ValueError: the text is no duration.

    >>> parse_duration("1h30m") == 5400 * 10**9
    True

    """
    found = _DURATION.match(text)
    if found is None or not text:
        message = f"{text!r} is not a duration; write it like 30s, 5m, 1h30m or 7d"
        raise ValueError(message)
    return sum(int(found.group(group) or 0) * unit for group, unit in _UNITS)
