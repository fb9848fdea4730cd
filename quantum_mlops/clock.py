"""Time as a parameter: whoever needs the wall clock is handed one of these.

Times are ints of nanoseconds UTC since 1970 everywhere inside the program.
"""

import time
from typing import Protocol

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Tells the time in nanoseconds UTC. Thread-safe and never blocks."""

    def __call__(self) -> int:
        """Return now, in nanoseconds since 1970-01-01T00:00:00Z."""
        ...


def system_clock() -> int:
    """Return the wall clock of this machine, in nanoseconds UTC."""
    return time.time_ns()


class ManualClock:
    """A clock that moves only when told, for tests and replays.

    >>> clock = ManualClock(5 * SECOND)
    >>> clock.advance_seconds(1.5)
    >>> clock()
    6500000000
    """

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time that was set."""
        return self.now

    def advance_seconds(self, seconds: float) -> None:
        """Move forward by `seconds`."""
        self.now += round(seconds * SECOND)
