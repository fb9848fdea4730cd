"""How often a provider is asked: each job ever less, the provider never more than agreed, and not while it says no.

Seconds are of a monotonic clock, which the caller hands in.
"""

from collections import deque

from qml_producers.following.followed import FollowedJob
from quantum_mlops.clock import SECOND

LEAST_INTERVAL_SECONDS = 1.0
LONGEST_SECONDS = 300.0
LONGEST_FOR_BILL_SECONDS = 1800.0
REFUSED_SECONDS = 60.0
SHARE = 0.05
"""A job is asked again after a twentieth of the time that it has had its status: so late is its end seen."""
SHARE_FOR_BILL = 0.2

_MINUTE = 60.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 300.0
_LONGEST_SAID_SECONDS = 3600.0


def wait_seconds(job: FollowedJob, interval_seconds: float, now: int) -> float:
    """Return the seconds until a job is asked again, `now` in nanoseconds UTC.

    Between the least interval and 5 minutes; half an hour for a job that only lacks its bill, or that was refused.
    """
    share, longest = (SHARE_FOR_BILL, LONGEST_FOR_BILL_SECONDS) if job.ended else (SHARE, LONGEST_SECONDS)
    usual = min(max(interval_seconds, share * (now - job.since) / SECOND), max(longest, interval_seconds))
    if not job.refusals:
        return usual
    refused = max(interval_seconds, REFUSED_SECONDS * 2.0 ** min(job.refusals - 1, 10))
    return min(max(usual, refused), max(LONGEST_FOR_BILL_SECONDS, interval_seconds))


class Pace:
    """One provider's calls: at most `calls_per_minute` in any minute, none before `paused_until`."""

    def __init__(self, calls_per_minute: int) -> None:
        self.paused_until = 0.0
        self._most = calls_per_minute
        self._failures = 0
        self._calls: deque[float] = deque()

    def next_call(self, now: float) -> float:
        """Return when the next call may be made: `now`, or later."""
        while self._calls and self._calls[0] <= now - _MINUTE:
            self._calls.popleft()
        free = self._calls[0] + _MINUTE if len(self._calls) >= self._most else now
        return max(now, free, self.paused_until)

    def call(self, now: float) -> None:
        """Note a call that is made."""
        self._calls.append(now)

    def succeed(self) -> None:
        """Note that the provider answered."""
        self._failures = 0

    def fail(self, now: float, retry_after_seconds: float | None) -> None:
        """Pause: as long as the provider said (an hour at most), else ever longer up to 5 minutes."""
        self._failures += 1
        if retry_after_seconds is None:
            pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10))
        else:
            pause = min(_LONGEST_SAID_SECONDS, max(0.0, retry_after_seconds))
        self.paused_until = max(self.paused_until, now + pause)
