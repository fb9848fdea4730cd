"""From the views' rows to what is answered."""

from typing import Any

from qml_daemon.alert import Alert as Held
from qml_daemon.query.resources import (
    Alert,
    Backend,
    Canary,
    Change,
    EventKey,
    Evidence,
    Finding,
    Job,
    Money,
    Point,
    Run,
    Series,
)
from qml_daemon.views.backends import BackendRow
from qml_daemon.views.findings import FindingRow
from qml_daemon.views.jobs import JobRow
from qml_daemon.views.runs import RunRow
from qml_daemon.views.series import SeriesRow, series_id
from quantum_mlops.timestamps import format_time


def utc(time_ns: int | None) -> str | None:
    """Return RFC 3339 text, or None."""
    return None if time_ns is None else format_time(time_ns)


def times_of(row: Any) -> dict[str, Any]:
    """Return the fields that every row has."""
    return {"project": row.project, "seen": format_time(row.seen), "changed": format_time(row.changed)}


def show_run(row: RunRow) -> Run:
    """Return a run."""
    facts = dict(row.merged.facts)
    facts.pop("status", None)
    for name in ("started", "ended"):
        facts[name] = utc(facts.get(name))
    return Run(
        id=row.run_id, status=row.status, first_time=format_time(row.first_time), last_time=format_time(row.last_time),
        step=row.step, events=row.events, metrics=row.metrics, metrics_not_kept=row.metrics_not_kept, jobs=row.jobs,
        **times_of(row), **facts,
    )  # fmt: skip


def show_job(row: JobRow) -> Job:
    """Return a job."""
    facts = dict(row.merged.facts)
    for name in ("cost_estimated", "cost_reserved", "cost_final"):
        if name in facts:
            facts[name] = Money(**facts[name])
    return Job(
        id=row.job_id, status=row.status, first_time=format_time(row.first_time), last_time=format_time(row.last_time),
        **times_of(row), **facts,
    )  # fmt: skip


def show_finding(row: FindingRow) -> Finding:
    """Return a finding with its evidence by name; what reproduces it stays in the log."""
    known = row.history
    if known is None:
        raise ValueError(f"finding {row.finding_id} has no transition")  # the projector stores none such
    evidence = Evidence(
        events=[EventKey(source, number) for source, number in known.evidence.events],
        partition=row.partition,
        offset=row.offset,
        config_hash=known.evidence.config_hash,
        processor=known.evidence.processor,
        processor_version=known.evidence.processor_version,
    )
    return Finding(
        id=row.finding_id, rule=known.rule, status=known.status, severity=known.severity,
        opened=format_time(known.opened), closed=utc(known.closed), transitions=known.transitions, series=known.series,
        labels=known.labels, annotations=known.annotations, values=known.values, details=known.details,
        at_close=known.at_close, reason=known.reason, late=known.late, evidence=evidence,
        changes=[Change(transition=number, change=name, time=format_time(time)) for number, name, time in row.changes],
        **times_of(row),
    )  # fmt: skip


def show_backend(row: BackendRow) -> Backend:
    """Return a backend."""
    facts = dict(row.merged.facts)
    for name in ("calibration_time", "last_job", "last_canary", "pending_jobs_time"):
        facts[name] = utc(facts.get(name))
    executed = [
        Canary(circuit=one.circuit, executions=one.executions, last=format_time(one.last), qubits=one.qubits,
               parameters=one.parameters)
        for one in row.executed.series.values()
    ]  # fmt: skip
    return Backend(
        id=row.backend, qubits=row.qubits, canaries=row.canaries, executed=executed, jobs=row.jobs, **times_of(row),
        **facts,
    )  # fmt: skip


def show_series(row: SeriesRow) -> Series:
    """Return a series without its points."""
    return Series(
        id=series_id(row.run_id, row.metric), run=row.run_id, metric=row.metric, count=row.count,
        nonfinite=row.nonfinite, last_nonfinite=row.last_nonfinite, last=row.last,
        last_time=utc(row.last_time) if row.count else None, last_step=row.last_step, low=row.low, high=row.high,
        stride=row.stride, **times_of(row),
    )  # fmt: skip


def show_points(points: list[tuple[int, int | None, float]]) -> list[Point]:
    """Return the points of a series."""
    return [Point(time=format_time(time), value=value, step=step) for time, step, value in points]


def show_alert(alert: Held) -> Alert:
    """Return an alert."""
    return Alert(
        id=alert.key, fingerprint=alert.fingerprint, finding=alert.finding_id, findings=alert.open, rule=alert.rule,
        status=alert.status, severity=alert.severity, starts=format_time(alert.starts),
        updated=format_time(alert.updated), ends=utc(alert.ends), labels=alert.labels, annotations=alert.annotations,
        values=alert.values, details=alert.details, reason=alert.reason, late=alert.late,
    )  # fmt: skip
