"""QueueTimeSLO: how fast the error budget of a queue-time objective burns, in pairs of windows.

Google, *The Site Reliability Workbook*, chapter 5, "Alerting on SLOs", 6: multiwindow, multi-burn-rate. A job is placed
at its emitter's time of running (else of its end); windows end at the log's now. Each pair counts jobs in buckets of a
fifth of its short window (a sixtieth of the long one); a window may be short by up to one bucket.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct, field

from qml_processors.lifecycle.record import JobRecord, queue_seconds
from quantum_mlops.clock import DAY, HOUR, MINUTE
from quantum_mlops.config.rules.lifecycle import QueueObjective


class Pair(NamedTuple):
    """A long and a short window with the burn rate that both must exceed; `bucket` divides both (nanoseconds)."""

    long: int
    short: int
    bucket: int
    factor: float


PAIRS = (
    Pair(HOUR, 5 * MINUTE, MINUTE, 14.4),
    Pair(6 * HOUR, 30 * MINUTE, 6 * MINUTE, 6.0),
    Pair(3 * DAY, 6 * HOUR, 72 * MINUTE, 1.0),
)
SLOW = 2
"""The pair that is a ticket, not a page."""
_BUCKETS_KEPT = 128

Ring = dict[int, tuple[int, int]]
"""(jobs, late jobs) by bucket."""


class Burn(NamedTuple):
    """The burn rates of one pair."""

    pair: int
    long: float
    short: float
    jobs: int
    late: int


class Budget(Struct, gc=False):
    """The counts of one objective; `pair` is the one that burns (None: not open), `check` when to look again."""

    bound: float = 0.0
    rings: list[Ring] = field(default_factory=lambda: [{}, {}, {}])
    pair: int | None = None
    check: int | None = None


Wait = tuple[int, float]


def wait_of(record: JobRecord | None) -> Wait | None:
    """Return when a job counts and how long it waited; None while that is not known."""
    if record is None:
        return None
    placed = record.running[0] if record.running is not None else record.end if record.ended else None
    seconds = None if placed is None else queue_seconds(record)
    return None if placed is None or seconds is None else (placed, seconds)


def count(budget: Budget, objective: QueueObjective, before: Wait | None, after: Wait | None, now: int) -> None:
    """Put the job in the place of what it was; counts under another bound are dropped."""
    if budget.bound != objective.queue_seconds:
        budget.bound, budget.rings = float(objective.queue_seconds), [{}, {}, {}]
        before = None
    if before is not None:
        _add(budget, before, -1, now)
    if after is not None:
        _add(budget, after, 1, now)


def burning(budget: Budget, objective: QueueObjective, now: int) -> Burn | None:
    """Return the fastest pair of which both windows burn faster than its factor."""
    return next((burn for burn in _burns(budget, objective, now) if _is_fast(burn, objective)), None)


def is_near_burning(budget: Budget | None, objective: QueueObjective, now: int) -> bool:
    """Whether one more job, or one told anew, may make a budget burn that does not yet; if not it surely does not."""
    if budget is None or budget.bound != objective.queue_seconds:
        return objective.minimum_jobs <= 1
    if budget.pair is not None:
        return False
    allowed, least = 1 - objective.target, objective.minimum_jobs - 1
    for window, ring in zip(PAIRS, budget.rings, strict=True):
        jobs, late = _sum(ring, (now - window.long) // window.bucket)
        if jobs >= least and late + 1 > window.factor * allowed * max(1, jobs - 1):
            return True
    return False


def burn_of(budget: Budget, objective: QueueObjective, pair: int, now: int) -> Burn:
    """Return the burn rates of one pair."""
    window, ring = PAIRS[pair], budget.rings[pair]
    jobs, late = _sum(ring, (now - window.long) // window.bucket)
    recent, recent_late = _sum(ring, (now - window.short) // window.bucket)
    allowed = 1 - objective.target
    return Burn(
        pair, late / jobs / allowed if jobs else 0.0, recent_late / recent / allowed if recent else 0.0, jobs, late
    )


def next_check(pair: int, now: int) -> int:
    """Return when a bucket next leaves the windows of a pair."""
    return (now // PAIRS[pair].bucket + 1) * PAIRS[pair].bucket


def _burns(budget: Budget, objective: QueueObjective, now: int) -> Iterator[Burn]:
    return (burn_of(budget, objective, pair, now) for pair in range(len(PAIRS)))


def _is_fast(burn: Burn, objective: QueueObjective) -> bool:
    factor = PAIRS[burn.pair].factor
    return burn.jobs >= objective.minimum_jobs and burn.long > factor and burn.short > factor


def _sum(ring: Ring, before: int) -> tuple[int, int]:
    jobs = late = 0
    for bucket, (more, more_late) in ring.items():
        if bucket > before:
            jobs += more
            late += more_late
    return jobs, late


def _add(budget: Budget, wait: Wait, sign: int, now: int) -> None:
    placed, seconds = wait
    late = sign * (seconds > budget.bound)
    for pair, ring in zip(PAIRS, budget.rings, strict=True):
        oldest = (now - pair.long) // pair.bucket
        bucket = placed // pair.bucket
        if bucket > oldest and (sign > 0 or bucket in ring):  # under an older bound it may not have been counted
            jobs, known = ring.get(bucket, (0, 0))
            ring[bucket] = (jobs + sign, max(0, known + late))
        for gone in [bucket for bucket in ring if bucket <= oldest or ring[bucket][0] <= 0]:
            del ring[gone]
        while len(ring) > _BUCKETS_KEPT:
            del ring[min(ring)]
