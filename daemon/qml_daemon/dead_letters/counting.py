"""How many dead letters there are of each kind; bounded, however many different reasons there are."""

import re
from collections import Counter

from msgspec import Struct

from qml_daemon.dead_letters.letter import Letter

MOST_KINDS = 1000
_NUMBERS = re.compile(r"[0-9a-f]{12,}|[0-9]+")
_LONGEST = 80


class Kind(Struct, frozen=True, kw_only=True):
    """Letters of one origin whose reasons differ in numbers only."""

    origin: str
    reason: str
    count: int


class Tally:
    """Counts letters by origin and reason."""

    def __init__(self) -> None:
        self.total = 0
        self.others = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, letter: Letter) -> None:
        """Count one."""
        self.total += 1
        kind = (letter.origin, common_reason(letter.reason))
        if kind in self._counts or len(self._counts) < MOST_KINDS:
            self._counts[kind] += 1
        else:
            self.others += 1

    def kinds(self) -> list[Kind]:
        """Return the kinds, the most frequent first."""
        found = [Kind(origin=origin, reason=reason, count=count) for (origin, reason), count in self._counts.items()]
        return sorted(found, key=lambda one: (-one.count, one.origin, one.reason))


def common_reason(reason: str) -> str:
    """Return what reasons of one kind share.

    >>> common_reason("event of 70000 bytes is over the limit of 65536 bytes")
    'event of # bytes is over the limit of # bytes'
    """
    short = _NUMBERS.sub("#", reason[: 2 * _LONGEST])
    return short if len(short) <= _LONGEST else short[: _LONGEST - 1] + "…"
