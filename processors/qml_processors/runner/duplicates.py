"""Duplicates: which events of a source were seen, by (partitionkey, source).

Our own emitters number their events: a set of intervals of that counter, forgotten 30 days after the
source's last event. Foreign ids are remembered for an hour of the source's own events, and at most
the last 10,000 of them. Either depends on nothing but the source's own history in its partition key.
"""

from bisect import bisect_right
from collections import OrderedDict

from quantum_mlops.clock import DAY, HOUR

FORGET_AFTER = 30 * DAY
FOREIGN_WINDOW = HOUR
FOREIGN_IDS = 10_000
MAX_SPANS = 1024
COUNTER_DIGITS = 16


class CountedSource:
    """The counters seen of one `qml://` source, as intervals [lo, hi] one after the other."""

    __slots__ = ("at", "key", "last", "segment", "since", "spans")
    kind = "d"

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.spans: list[int] = []
        self.last = 0
        self.since: int | None = None
        self.at = -1
        self.segment = -1

    def add(self, event_id: str, now: int) -> bool:
        """Remember the event; False where it was seen before. `event_id` is the counter in hex."""
        counter = int(event_id, 16)
        spans = self.spans
        if spans and now - self.last >= FORGET_AFTER:
            spans.clear()
        if spans and spans[-1] + 1 == counter:
            spans[-1] = counter
        elif not self._insert(counter):
            return False
        self.last = now
        return True

    def _insert(self, counter: int) -> bool:
        spans = self.spans
        place = bisect_right(spans, counter)
        if place % 2 or (place and spans[place - 1] == counter):
            return False
        joins_left = place > 0 and spans[place - 1] + 1 == counter
        joins_right = place < len(spans) and spans[place] - 1 == counter
        if joins_left and joins_right:
            del spans[place - 1 : place + 1]
        elif joins_left:
            spans[place - 1] = counter
        elif joins_right:
            spans[place] = counter
        else:
            spans[place:place] = (counter, counter)
            if len(spans) > 2 * MAX_SPANS:  # a source that skips this much lost those events for good
                del spans[1:3]
        return True

    def expired(self, now: int) -> bool:
        """Whether an event of this source at `now` would find nothing remembered."""
        return now - self.last >= FORGET_AFTER

    def content(self) -> list[int]:
        """Return what a checkpoint row holds."""
        return self.spans

    def restore(self, content: list[int]) -> None:
        """Take what `content` returned."""
        self.spans = content


class ForeignSource:
    """The ids seen of one foreign source, each with the time at which it came."""

    __slots__ = ("at", "ids", "key", "last", "segment", "since")
    kind = "f"

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.ids: OrderedDict[str, int] = OrderedDict()
        self.last = 0
        self.since: int | None = None
        self.at = -1
        self.segment = -1

    def add(self, event_id: str, now: int) -> bool:
        """Remember the event; False where it was seen in the window."""
        ids = self.ids
        while ids:
            oldest = next(iter(ids))
            if now - ids[oldest] < FOREIGN_WINDOW:
                break
            ids.popitem(last=False)
        if event_id in ids:
            return False
        if len(ids) >= FOREIGN_IDS:
            ids.popitem(last=False)
        ids[event_id] = now
        self.last = now
        return True

    def expired(self, now: int) -> bool:
        """Whether an event of this source at `now` would find nothing remembered."""
        return now - self.last >= FOREIGN_WINDOW

    def content(self) -> list[tuple[str, int]]:
        """Return what a checkpoint row holds."""
        return list(self.ids.items())

    def restore(self, content: list[tuple[str, int]]) -> None:
        """Take what `content` returned."""
        self.ids = OrderedDict(content)


Source = CountedSource | ForeignSource


def is_counted(source: str, event_id: str) -> bool:
    """Whether the id is the counter of one of our own emitters.

    >>> is_counted("qml://host/0a1b/0", "000000000000001f"), is_counted("qml://host/0a1b/0", "31")
    (True, False)
    """
    if not source.startswith("qml://") or len(event_id) != COUNTER_DIGITS:
        return False
    try:
        counter = int(event_id, 16)
    except ValueError:
        return False
    return counter >= 0 and f"{counter:016x}" == event_id
