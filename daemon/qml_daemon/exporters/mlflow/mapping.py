"""What of an event goes into an MLflow run. Pure: an event that is sent twice gives the same entries twice."""

from collections.abc import Iterator, Mapping

from qml_daemon.exporters.mlflow.entries import End, Entry, Metric, Param, RunStatus, Tag
from qml_daemon.exporters.mlflow.names import MAX_PARAM, MAX_TAG, cut, mlflow_name
from quantum_mlops.events import (
    Event,
    FindingChanged,
    GradientStatistics,
    Job,
    MetricLogged,
    RunEnded,
    RunStarted,
    SummaryMade,
    short_name,
)
from quantum_mlops.timestamps import format_time

BACKEND_TAG = "qml.backend"
FINDING_TAG = "qml.finding."
SUMMARY = "qml.summary."
_NONFINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
_STATUS: dict[str, RunStatus] = {"completed": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "silent": "KILLED"}
_STATES = {"finding.opened": "firing", "finding.updated": "firing", "finding.closed": "resolved"}


def map_event(event: Event, external_url: str | None = None) -> list[Entry]:
    """Return what is written of an event; nothing of most types."""
    return list(_entries(event, external_url))


def _entries(event: Event, external_url: str | None) -> Iterator[Entry]:
    data = event.data
    if isinstance(data, MetricLogged):
        yield from _metrics(event, data)
    elif isinstance(data, Job):
        if data.backend:
            yield Tag(BACKEND_TAG, cut(data.backend, MAX_TAG))
    elif isinstance(data, RunStarted):
        yield from _started(event, data)
    elif isinstance(data, RunEnded):
        yield Tag("qml.status", data.status)
        yield End(_STATUS[data.status], _milliseconds(event.time))
    elif isinstance(data, FindingChanged):
        yield _finding(event, data, external_url)
    elif isinstance(data, SummaryMade):
        yield from _summary(data)


def _milliseconds(time: int) -> int:
    return max(0, time // 1_000_000)


def _metrics(event: Event, data: MetricLogged) -> Iterator[Metric]:
    time, step = _milliseconds(event.time), event.context.step or 0
    prefix = f"{data.phase}/" if data.phase else ""
    for name, value in data.values.items():
        yield Metric(mlflow_name(prefix + name), value, time, step)
    for name, word in data.nonfinite.items():
        yield Metric(mlflow_name(prefix + name), _NONFINITE[word], time, step)
    if data.gradient is not None:
        for name, value in _gradient(data.gradient):
            yield Metric(f"{prefix}qml.gradient.{name}", value, time, step)
    for name, value in data.system.items():
        yield Metric(mlflow_name(f"system/{name}"), value, time, step)


def _gradient(data: GradientStatistics) -> Iterator[tuple[str, float]]:
    yield "size", float(data.size)
    for name in ("norm", "mean", "variance", "max_abs"):
        value = getattr(data, name)
        if value is not None:
            yield name, value


def _started(event: Event, data: RunStarted) -> Iterator[Entry]:
    yield Tag("mlflow.runName", cut(data.name, MAX_TAG), own_only=True)
    if data.code_version:
        yield Tag("mlflow.source.git.commit", cut(data.code_version, MAX_TAG), own_only=True)
        yield Param("qml.code_version", cut(data.code_version, MAX_PARAM))
    if data.host:
        yield Param("qml.host", cut(data.host, MAX_PARAM))
    for name, text in (("qml.experiment", event.context.experimentid), ("qml.variant", event.context.variant)):
        if text:
            yield Param(name, cut(text, MAX_PARAM))
    for package, version in data.sdk_versions.items():
        yield Param(mlflow_name(f"qml.version.{package}"), cut(version, MAX_PARAM))
    for name, text in data.tags.items():
        if not name.startswith(("mlflow.", "qml.")):  # names of MLflow's own and ours
            yield Tag(mlflow_name(name), cut(text, MAX_TAG))


def _finding(event: Event, data: FindingChanged, external_url: str | None) -> Tag:
    state = _STATES.get(short_name(event.type) or "", "notice")
    said = data.annotations.get("summary", "")
    more = f"{external_url.rstrip('/')}/api/v1/findings/{data.finding_id}" if external_url else ""
    text = f"{state}, {data.severity}, {format_time(event.time)[:19]}Z: {said or data.series}"
    where = more or f"quantum-mlops alerts show {data.finding_id[:12]}"
    return Tag(mlflow_name(FINDING_TAG + data.rule), f"{cut(text, MAX_TAG - len(where) - 3)} ({where})")


def _summary(data: SummaryMade) -> Iterator[Entry]:
    time = _milliseconds(data.end)
    yield from _numbers(SUMMARY, data.values, time)
    yield from _numbers(f"{SUMMARY}count.", data.counts, time)
    if data.labels.get("status") == "silent":
        yield Tag("qml.status", "silent")
        yield End("KILLED", time)


def _numbers(prefix: str, values: Mapping[str, float], time: int) -> Iterator[Metric]:
    for name, value in values.items():
        yield Metric(mlflow_name(prefix + name), float(value), time)
