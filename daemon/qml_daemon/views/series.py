"""One metric of one run: its last value, its bounds, and points that thin out evenly as it grows.

Of each series at most 256 points are kept: every n-th, with n doubled whenever they are full. The last
value is always exact.
"""

from functools import lru_cache
from urllib.parse import quote

from msgspec import Struct

POINTS_KEPT = 256


class SeriesRow(Struct):
    """A series. Times in ns: `last_time` the emitter's, `seen` and `changed` the log's.

    `count` counts finite values, `nonfinite` the others, `last_nonfinite` names the last of them.
    """

    project: str
    run_id: str
    metric: str
    seen: int
    changed: int
    count: int = 0
    last: float | None = None
    last_time: int = 0
    last_step: int | None = None
    low: float | None = None
    high: float | None = None
    nonfinite: int = 0
    last_nonfinite: str | None = None
    stride: int = 1

    @property
    def columns(self) -> tuple[str | None, ...]:
        """What series are filtered by: run, metric."""
        return (self.run_id, self.metric)

    def add(self, value: float, time: int, step: int | None) -> int | None:
        """Take a finite value; return the number of its point where it is one to keep, else None."""
        number = self.count
        self.count = number + 1
        if self.low is None or value < self.low:
            self.low = value
        if self.high is None or value > self.high:
            self.high = value
        if time >= self.last_time:
            self.last, self.last_time, self.last_step = value, time, step
        return None if number % self.stride else number

    def is_full(self) -> bool:
        """Whether the points are at their bound; the owner then keeps every other one and calls `thin`."""
        return self.count > POINTS_KEPT * self.stride

    def thin(self) -> int:
        """Double the stride and return it."""
        self.stride *= 2
        return self.stride


def series_id(run_id: str, metric: str) -> str:
    """Return the name of a series within its project.

    >>> series_id("a/b", "loss/train")
    'a%2Fb/loss/train'
    """
    return f"{_quote(run_id)}/{metric}"


@lru_cache(maxsize=4096)
def _quote(text: str) -> str:
    return quote(text, safe="")
