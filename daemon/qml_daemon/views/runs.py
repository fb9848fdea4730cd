"""One run as its own events, its jobs and its summary tell it."""

from typing import Any

from msgspec import Struct, field

from qml_daemon.views.merged import Merged
from quantum_mlops.events import Event, Failure, RunEnded, RunStarted

METRICS_KEPT = 256
SILENT = "silent"


class RunRow(Struct):
    """A run. Times in ns: `first_time` and `last_time` the emitters', `seen`, `changed` and `silent_at` the log's.

    `jobs` counts its jobs by status, `metrics` the names of its series; of more than 256 names the rest is not
    kept, but counted in `metrics_not_kept` by value.
    """

    project: str
    run_id: str
    seen: int
    changed: int
    first_time: int = 0
    last_time: int = 0
    step: int | None = None
    events: int = 0
    metrics: int = 0
    metrics_not_kept: int = 0
    silent_at: int | None = None
    jobs: dict[str, int] = field(default_factory=dict)
    merged: Merged = field(default_factory=Merged)

    @property
    def status(self) -> str:
        """Its end where one was told; else silent where its summary says so and nothing came since; else running."""
        ended = self.merged.facts.get("status")
        if ended is not None:
            return str(ended)
        return SILENT if self.silent_at is not None and self.silent_at >= self.changed else "running"

    @property
    def columns(self) -> tuple[str | None, ...]:
        """What runs are filtered by: status."""
        return (self.status,)

    def touch(self, event: Event) -> None:
        """Note that an event of this run came."""
        time, step = event.time, event.context.step
        self.events += 1
        if not self.first_time or time < self.first_time:
            self.first_time = time
        self.last_time = max(self.last_time, time)
        if step is not None and (self.step is None or step > self.step):
            self.step = step

    def start(self, event: Event, data: RunStarted) -> None:
        """Take what the run says of itself."""
        facts: dict[str, Any] = {"name": data.name, "started": event.time, "implicit": data.implicit}
        context = event.context
        told = {
            "tags": data.tags,
            "code_version": data.code_version,
            "sdk_versions": data.sdk_versions,
            "host": data.host,
            "experiment": context.experimentid,
            "variant": context.variant,
            "mlflow_run": context.mlflowrunid,
        }
        facts |= {name: value for name, value in told.items() if value}
        self.merged.tell((event.time, event.source, event.id), facts)

    def end(self, event: Event, data: RunEnded) -> None:
        """Take how it ended."""
        failure = data.failure or Failure()
        facts = {
            "status": data.status,
            "ended": event.time,
            "duration_seconds": data.duration_seconds,
            "failure_code": failure.code or None,
            "failure_message": failure.message or None,
        }
        self.merged.tell((event.time, event.source, event.id), facts)


def shift(counts: dict[str, int], before: str | None, after: str | None) -> None:
    """Move one job from a status to another; None is none.

    >>> counts = {"running": 2}
    >>> shift(counts, "running", "completed")
    >>> counts
    {'running': 1, 'completed': 1}
    """
    if before is not None:
        left = counts.get(before, 0) - 1
        if left > 0:
            counts[before] = left
        else:
            counts.pop(before, None)
    if after is not None:
        counts[after] = counts.get(after, 0) + 1
