"""The summaries processor: what a run came to, and what happened in each window.

A run's series gathers its counts and metrics and is summed up a minute after `run.ended` (events
spooled before the end may be appended after it), then forgotten; a run that sends nothing for a day is
summed up as it is, labelled `status: silent`. What providers still say of its jobs begins no run anew.
Windows are those of the log's clock, for the project and for each backend of its jobs; their starts are
spread by the series' name, so that a fleet does not sum up at one instant. A window without events has
no summary.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from qml_processors.base import Forget, Output, Summary, dephase, unpack_state
from quantum_mlops.clock import DAY, MINUTE
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import (
    Event,
    Job,
    MetricLogged,
    RunEnded,
    RunHeartbeat,
    RunStarted,
    ShotsMeasured,
    short_name,
    type_name,
)
from quantum_mlops.events.job_status import TERMINAL_STATUSES

METRICS_KEPT = 256
NAME_BYTES_KEPT = 6 * 1024
"""All names together, as JSON: each stands four times in a summary of at most 64 KiB."""
END_GRACE = MINUTE
SILENT_AFTER = DAY
_PROJECT = "project"
_LATER = frozenset(
    type_name(f"job.{status}") for status in (*TERMINAL_STATUSES, "queued", "running", "unknown", "billed")
)
"""News of a job that come hours after its run, as from the follower."""


class Figures(Struct, gc=False):
    """One metric in constant memory."""

    count: int = 0
    last: float = 0.0
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0


class SummaryState(Struct, gc=False):
    """What was counted since `start`; `end` is when it is summed up."""

    series: str = ""
    start: int | None = None
    end: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, Figures] = field(default_factory=dict)
    name_bytes: int = 0
    seen: int | None = None
    status: str = ""


class SummariesProcessor:
    """Summaries of runs and windows; see the module for its rules."""

    name = "summaries"
    version = 1
    labels = ()
    state = SummaryState
    bundled = False
    by_run = (MetricLogged, Job, RunEnded, RunStarted, RunHeartbeat)

    def keys(self, event: Event) -> Sequence[str]:
        """The event's run, its project's window, and its backend's window where it is a job's."""
        run = event.context.runid
        data = event.data
        if (data.__class__ is Job or data.__class__ is ShotsMeasured) and (backend := data.backend):
            return (f"run/{run}", _PROJECT, f"backend/{backend}") if run else (_PROJECT, f"backend/{backend}")
        if run:
            return (f"run/{run}", _PROJECT)
        return (_PROJECT,) if event.project else ()

    def open(self, key: str) -> SummaryState:
        """Know nothing."""
        return SummaryState(series=key)

    def apply(self, state: SummaryState, event: Event, rules: Rules) -> Iterable[Output]:
        """Count the event."""
        if not rules.summaries.enabled:
            return ()
        data = event.data
        if state.start is None and event.type in _LATER and state.series.startswith("run/"):
            return (Forget(),)
        counts = state.counts
        state.seen = event.ingestedtime
        kind = event.type
        counts[kind] = counts.get(kind, 0) + 1
        if state.start is None:
            _begin(state, event, rules)
        if data.__class__ is MetricLogged:
            _take_metrics(state, data.values)
        elif data.__class__ is Job:
            return ()
        elif isinstance(data, ShotsMeasured):
            counts["shots"] = counts.get("shots", 0) + data.shots
        elif isinstance(data, RunEnded) and state.series.startswith("run/"):
            state.end, state.status = (event.ingestedtime or 0) + END_GRACE, data.status
        return ()

    def next_timer(self, state: SummaryState, rules: Rules) -> int | None:  # noqa: ARG002
        """Return when the window or the run is summed up, a run without an end when it was silent for long."""
        end = state.end
        if end is not None or state.seen is None or not state.series.startswith("run/"):
            return end
        return state.seen + SILENT_AFTER

    def on_timer(self, state: SummaryState, due: int, rules: Rules) -> Iterable[Output]:
        """Sum up what has ended."""
        end = self.next_timer(state, rules)
        if end is None or end > due or state.start is None:
            return ()
        summary = _sum_up(state, state.start, end)
        state.start = state.end = state.seen = None
        state.counts, state.metrics, state.name_bytes = {}, {}, 0
        return (summary, Forget()) if summary.kind == "run" else (summary,)

    def migrate(self, raw: bytes, from_version: int) -> SummaryState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _begin(state: SummaryState, event: Event, rules: Rules) -> None:
    now = event.ingestedtime or 0
    if state.series.startswith("run/"):
        state.start = now
        return
    period = max(parse_duration(rules.summaries.window), 1_000_000_000)
    offset = dephase(f"{event.partitionkey}/{state.series}", period)
    state.start = (now - offset) // period * period + offset
    state.end = state.start + period


def _take_metrics(state: SummaryState, values: dict[str, float]) -> None:
    metrics = state.metrics
    for name, value in values.items():
        figures = metrics.get(name)
        if figures is None:
            name_bytes = len(msgspec.json.encode(name))
            if len(metrics) >= METRICS_KEPT or state.name_bytes + name_bytes > NAME_BYTES_KEPT:
                state.counts["metrics_not_kept"] = state.counts.get("metrics_not_kept", 0) + 1
                continue
            state.name_bytes += name_bytes
            metrics[name] = Figures(1, value, value, value, value)
            continue
        count = figures.count + 1
        figures.count = count
        figures.last = value
        if value < figures.low:
            figures.low = value
        elif value > figures.high:
            figures.high = value
        mean = figures.mean
        figures.mean = mean + (value / count - mean / count)  # no sum: it could overflow


def _labels(state: SummaryState, kind: str, name: str) -> dict[str, str]:
    labels = {kind: name} if name else {}
    if kind == "run":
        labels["status"] = state.status or "silent"
    return labels


def _sum_up(state: SummaryState, start: int, end: int) -> Summary:
    kind, _, name = state.series.partition("/")
    values: dict[str, float] = {}
    for metric, figures in state.metrics.items():
        values[f"{metric}.last"] = figures.last
        values[f"{metric}.min"] = figures.low
        values[f"{metric}.max"] = figures.high
        values[f"{metric}.mean"] = figures.mean
    is_run = kind == "run"
    return Summary(
        kind="run" if is_run else "window",
        start=start,
        end=end if not is_run else end - END_GRACE if state.end is not None else end - SILENT_AFTER,
        labels=_labels(state, kind, name),
        counts={short_name(kind) or kind: count for kind, count in state.counts.items()},
        values=values,
    )
