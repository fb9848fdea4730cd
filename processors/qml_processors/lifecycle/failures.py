"""JobFailureRate: the chart of one series' ended jobs, in the order of their ends.

A Bernoulli CUSUM (`quantum_mlops.stats.bernoulli_cusum`). What is normal is the upper 90 % confidence limit of the
share of failures among the jobs in control, rounded up to a grid, so that the declared rate of false alarms holds for
nine of ten histories, and far better for most; `highest_normal` until `minimum_jobs` are known. Jobs that the chart has
doubts about wait apart and become history only when the chart returns to zero. Closes by the mirrored chart, which
takes a lasting incident for a recovery once in 1,000 jobs.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from qml_processors.lifecycle.record import JobRecord
from quantum_mlops.config.rules.lifecycle import FailuresRule
from quantum_mlops.stats.bernoulli_cusum import falling, rising
from quantum_mlops.stats.false_alarms import parse_rate
from quantum_mlops.stats.order_statistics import at_most

HISTORY_LIMIT = 500
RECOVERY_RUN_LENGTH = 1000.0
_DOUBT = 0.1
_NEWS = 1.1
_run_length = lru_cache(maxsize=64)(parse_rate)  # the same few texts for every job
_GRID = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


class Chart(Struct, gc=False):
    """The chart after some jobs.

    Attributes:
        jobs, failures: The history: jobs in control.
        normal, normal_jobs: The upper limit of the share of failures in the history, and for how many jobs it was
            worked out: that is done anew with every tenth more.
        pending_jobs, pending_failures: Jobs since the chart left zero, or since it opened.
        rise, fall: The chart's level, and the one of the recovery.
        since: The end of the job at which the chart left zero, by its emitter's clock.
        open: Whether the chart has alarmed and not recovered.

    """

    jobs: int = 0
    failures: int = 0
    normal: float = 1.0
    normal_jobs: int = 0
    pending_jobs: int = 0
    pending_failures: int = 0
    rise: int = 0
    fall: int = 0
    since: int = 0
    open: bool = False


def chart_job(chart: Chart, record: JobRecord, rule: FailuresRule) -> None:
    """Take in the next job; cancelled ones say nothing."""
    if not record.counts:
        return
    failed = record.failed
    normal = normal_share(chart, rule)
    raised = raised_share(normal, rule)
    chart.pending_jobs += 1
    chart.pending_failures += failed
    if chart.open:
        walk = falling(normal, raised, RECOVERY_RUN_LENGTH)
        chart.fall = max(0, chart.fall - walk.down) if failed else chart.fall + walk.up
        if chart.fall >= walk.limit:
            calm_down(chart)
        return
    walk = rising(normal, raised, _run_length(rule.false_alarms))
    if failed and not chart.rise:
        chart.since = record.end
    chart.rise = chart.rise + walk.up if failed else max(0, chart.rise - walk.down)
    if not chart.rise:
        _acquit(chart)
    elif chart.rise >= walk.limit and chart.jobs + chart.pending_jobs >= rule.minimum_jobs:
        chart.open, chart.fall = True, 0


def is_near_alarm(chart: Chart, rule: FailuresRule, *, failed: bool) -> bool:
    """Whether one more job, the last in the order of ends, makes the chart alarm."""
    if chart.open:
        return False
    walk = rising(normal := normal_share(chart, rule), raised_share(normal, rule), _run_length(rule.false_alarms))
    rise = chart.rise + walk.up if failed else chart.rise - walk.down
    return rise >= walk.limit and chart.jobs + chart.pending_jobs + 1 >= rule.minimum_jobs


def chart_jobs(chart: Chart, records: Sequence[JobRecord], rule: FailuresRule) -> Chart:
    """Take in several, in order; returns the chart."""
    for record in records:
        chart_job(chart, record, rule)
    return chart


def calm_down(chart: Chart) -> None:
    """Start anew after an incident, with the history from before it."""
    chart.open = False
    chart.rise = chart.fall = chart.pending_jobs = chart.pending_failures = chart.since = 0


def normal_share(chart: Chart, rule: FailuresRule) -> float:
    """Return the share of failures that counts as normal."""
    if chart.jobs < rule.minimum_jobs:
        return rule.highest_normal
    return min(rule.highest_normal, chart.normal)


def raised_share(normal: float, rule: FailuresRule) -> float:
    """Return the share that the chart is tuned to find."""
    return min(normal + rule.rise, (1 + normal) / 2)


def _acquit(chart: Chart) -> None:
    if chart.jobs < HISTORY_LIMIT:
        chart.jobs += chart.pending_jobs
        chart.failures += chart.pending_failures
        if chart.jobs >= _NEWS * chart.normal_jobs:
            chart.normal, chart.normal_jobs = _upper_limit(chart.failures, chart.jobs), chart.jobs
    chart.pending_jobs = chart.pending_failures = chart.since = 0


def _upper_limit(failures: int, jobs: int) -> float:
    """Return the smallest share of the grid under which so few failures have a chance of 10 % at most."""
    place = bisect_left(_GRID, True, key=lambda share: at_most(failures, jobs, share) <= _DOUBT)  # noqa: FBT003
    return _GRID[place] if place < len(_GRID) else 1.0
