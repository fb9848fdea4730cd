"""How many jobs an hour a backend gets: a runaway loop, or a loop of retries.

The rule is plain, without a declared rate: the hour has at least 20 jobs and 3 times as many as any of the last 168
hours that had a job at all, of which there must be 24. Hours are those of the emitter's time.
"""

from msgspec import Struct, field

from quantum_mlops.clock import HOUR

LEAST_JOBS = 20
TIMES = 3
LEAST_HOURS = 24
HOURS_KEPT = 168


class Pace(Struct, gc=False):
    """The hour that has begun, and the jobs of the hours before that had any."""

    hour: int = 0
    jobs: int = 0
    failed: int = 0
    history: list[int] = field(default_factory=list)


def count_job(pace: Pace, time: int, *, failed: bool, learn: bool) -> int | None:
    """Count a job that began or failed; return how many jobs the hour had that this one ended, None if it goes on."""
    hour = time // HOUR
    if hour < pace.hour:
        return None
    ended = None
    if hour > pace.hour:
        if pace.jobs:
            ended = pace.jobs
            if learn:
                pace.history.append(pace.jobs)
                del pace.history[:-HOURS_KEPT]
        pace.hour, pace.jobs, pace.failed = hour, 0, 0
    if failed:
        pace.failed += 1
    else:
        pace.jobs += 1
    return ended


def pace_limit(pace: Pace) -> int | None:
    """Return how many jobs an hour are too many, None while the history is too short."""
    if len(pace.history) < LEAST_HOURS:
        return None
    return max(LEAST_JOBS, TIMES * max(pace.history))


def is_retrying(pace: Pace) -> bool:
    """Return whether half of the hour's jobs failed."""
    return 2 * pace.failed >= pace.jobs
