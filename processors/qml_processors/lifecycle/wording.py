"""What the findings on jobs say: labels, numbers, and text for the person who reads it at night."""

from collections.abc import Sequence

from qml_processors.base import Finding
from qml_processors.lifecycle.durations import duration_text
from qml_processors.lifecycle.failures import HISTORY_LIMIT, normal_share
from qml_processors.lifecycle.objectives import PAIRS, SLOW, Burn
from qml_processors.lifecycle.record import JobRecord
from qml_processors.lifecycle.state import JobsState
from qml_processors.lifecycle.stuck import CONFIDENCE, QUANTILE, Limit, stuck_jobs
from qml_processors.lifecycle.table import ordered
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules.lifecycle import FailuresRule, QueueObjective, StuckRule
from quantum_mlops.config.rules.names import Severity
from quantum_mlops.timestamps import format_time

STUCK, FAILING, SLO = "JobStuck", "JobFailureRate", "QueueTimeSLO"
SHOWN = 8
Transition = str


def stuck_opened(state: JobsState, status: str, limit: Limit, due: int, rule: StuckRule, *, again: bool) -> Finding:
    """Say which jobs nothing was received of."""
    jobs = stuck_jobs(state.table, status)
    first, record = jobs[0]
    oldest = (due - record.since) / SECOND
    many = f"{len(jobs)} jobs" if len(jobs) > 1 else f"job {first}"
    values = {"stuck_jobs": float(len(jobs)), "oldest_seconds": oldest, "limit_seconds": limit.length / SECOND}
    values["earlier_jobs"] = float(limit.jobs)
    if limit.usual is not None:
        values["usual_seconds"] = limit.usual
    return Finding(
        transition="updated" if again else "opened",
        rule=f"{STUCK}/{status}",
        severity=rule.severity,
        labels=state.labels | {"status": status},
        annotations={
            "summary": f"{state.place}: {many} {status}, no further status received for {duration_text(oldest)}",
            "description": (
                f"Not received: any status after {status!r} since {_clock_text(record.since)} (the log's clock). "
                f"{_usual_text(limit, status)} Look at the job on the provider's page, at the backend's queue, and "
                f"whether the program that submitted it still runs and has asked for the result."
            ),
        },
        values=values,
        details={"jobs": [_job_text(job, found) for job, found in jobs[:SHOWN]]},
        evidence=[found.news[1:] for _, found in jobs[:SHOWN]],
    )


def closed(state: JobsState, rule: str, severity: Severity, labels: dict[str, str], reason: str, text: str) -> Finding:
    """Say that a finding is over, and why."""
    return Finding(
        transition="closed",
        rule=rule,
        severity=severity,
        labels=state.labels | labels,
        annotations={"summary": f"{state.place}: {text}"},
        reason=reason,
    )


def failing_opened(state: JobsState, rule: FailuresRule) -> Finding:
    """Say how many jobs fail since when, with which codes, and how many usually do."""
    chart = state.tip
    normal = normal_share(chart, rule)
    share = chart.pending_failures / max(1, chart.pending_jobs)
    failed = [record for record in ordered(state.table) if record.failed and record.end >= chart.since]
    codes = _codes(failed)
    history = f"{chart.failures} of {chart.jobs}" if chart.jobs else "none yet"
    return Finding(
        transition="opened",
        rule=FAILING,
        severity=rule.severity,
        labels=state.labels,
        annotations={
            "summary": (
                f"{state.place}: {chart.pending_failures} of the last {chart.pending_jobs} jobs failed, "
                f"mostly {codes[0]['code']}"
                if codes
                else f"{state.place}: {chart.pending_failures} of the last {chart.pending_jobs} jobs failed"
            ),
            "description": (
                f"Since {_clock_text(chart.since)} (the emitter's clock) {share:.0%} of the jobs failed. Failures in "
                f"the history: {history} jobs; up to {normal:.1%} counts as normal. Declared false alarms: "
                f"{rule.false_alarms}, an observation is an ended job. Look at the codes, at the backend's status "
                f"page, and at what was changed in the circuits since then."
            ),
        },
        values={
            "failure_rate": share,
            "failed_jobs": float(chart.pending_failures),
            "jobs": float(chart.pending_jobs),
            "normal_rate": normal,
            "history_jobs": float(chart.jobs),
            "history_failed_jobs": float(chart.failures),
            "history_limit_jobs": float(HISTORY_LIMIT),
        },
        details={"codes": codes} if codes else {},
        evidence=[record.news[1:] for record in failed[-SHOWN:]],
    )


def budget_burns(state: JobsState, objective: QueueObjective, burn: Burn, transition: Transition) -> Finding:
    """Say how fast the budget burns, or that it no longer does."""
    pair = PAIRS[burn.pair]
    bound = duration_text(objective.queue_seconds)
    long, short = duration_text(pair.long / SECOND), duration_text(pair.short / SECOND)
    numbers = (
        f"In the last {long} {burn.late} of {burn.jobs} jobs waited longer than {bound}; the objective allows "
        f"{1 - objective.target:.2%}. Burn rate {burn.long:.3g} over {long} and {burn.short:.3g} over {short}, "
        f"limit {pair.factor:g}."
    )
    is_over = transition == "closed"
    return Finding(
        transition="closed" if is_over else "updated" if transition == "updated" else "opened",
        rule=f"{SLO}/{objective.name}",
        severity=objective.slow_severity if burn.pair == SLOW else objective.severity,
        labels=state.labels | {"objective": objective.name},
        annotations={
            "summary": (
                f"{state.place}: the queue-time budget of {objective.name} burns slowly enough again"
                if is_over
                else f"{state.place}: {burn.late} of {burn.jobs} jobs waited longer than {bound} in {long}"
            ),
            "description": (
                numbers
                if is_over
                else f"{numbers} Look at the backend's queue and reservations, move to another backend, or send fewer "
                f"and larger jobs. Jobs that still wait are not counted: see JobStuck."
            ),
        },
        values={
            "burn_rate_long": burn.long,
            "burn_rate_short": burn.short,
            "window_long_seconds": pair.long / SECOND,
            "window_short_seconds": pair.short / SECOND,
            "jobs": float(burn.jobs),
            "late_jobs": float(burn.late),
            "queue_seconds": objective.queue_seconds,
            "target": objective.target,
        },
        reason="budget burns slowly enough" if is_over else None,
    )


def _usual_text(limit: Limit, status: str) -> str:
    length = duration_text(limit.length / SECOND)
    if limit.usual is not None:
        return (
            f"Of the last {limit.jobs} ended jobs {QUANTILE:.0%} left {status!r} within {duration_text(limit.usual)} "
            f"(upper {CONFIDENCE:.0%} confidence bound); the limit is {length}."
        )
    if limit.kind == "configured":
        return f"The configured limit is {length}."
    return f"Too few ended jobs ({limit.jobs}) say what is usual here; the limit is the cap of {length}."


def _job_text(job: str, record: JobRecord) -> dict[str, str]:
    found = {"job": job, "since": _clock_text(record.since)}
    return found | {"run": record.run} if record.run else found


def _codes(failed: Sequence[JobRecord]) -> list[dict[str, str]]:
    counts: dict[str, int] = {}
    for record in failed:
        code = (record.code[0] if record.code is not None else "") or "no code"
        counts[code] = counts.get(code, 0) + 1
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"code": code, "jobs": str(number)} for code, number in ranked[:SHOWN]]


def _clock_text(time: int) -> str:
    return f"{format_time(time)[:19]}Z"
