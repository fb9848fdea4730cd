"""One backend as the jobs, canaries and calibrations of a project show it."""

from typing import Any

from msgspec import Struct, field

from qml_daemon.views.canaries import CanaryCounts
from qml_daemon.views.merged import Merged
from quantum_mlops.events import CalibrationSnapshot, Event, Job, ShotsMeasured


class BackendRow(Struct):
    """A backend. `jobs` counts by status, `canaries` executions, `executed` those of each canary that can be charted.

    `seen` and `changed` are the log's times (ns).
    """

    project: str
    backend: str
    seen: int
    changed: int
    canaries: int = 0
    executed: CanaryCounts = field(default_factory=CanaryCounts)
    qubits: int | None = None
    jobs: dict[str, int] = field(default_factory=dict)
    merged: Merged = field(default_factory=Merged)

    @property
    def columns(self) -> tuple[str | None, ...]:
        """Backends are filtered by nothing but their project."""
        return ()

    def take_job(self, event: Event, job: Job) -> None:
        """Note what a job tells of its backend."""
        facts: dict[str, Any] = {"last_job": event.time}
        if job.provider is not None:
            facts["provider"] = job.provider
        if job.pending_jobs is not None:
            facts["pending_jobs"], facts["pending_jobs_time"] = job.pending_jobs, event.time
        self.merged.tell((event.time, event.source, event.id), facts)

    def take_canary(self, event: Event, data: ShotsMeasured, now: int) -> None:
        """Count a canary."""
        self.canaries += 1
        self.executed.take(data, now)
        self.merged.tell((event.time, event.source, event.id), {"last_canary": event.time})

    def take_calibration(self, event: Event, data: CalibrationSnapshot) -> None:
        """Note which calibration is in force, and how many qubits the device has by it."""
        facts: dict[str, Any] = {"calibration_id": data.calibration_id, "calibration_time": event.time}
        if data.provider is not None:
            facts["provider"] = data.provider
        self.merged.tell((event.time, event.source, event.id), facts)
        qubits = max((max(wires, default=-1) for column in data.columns for wires in column.wires), default=-1) + 1
        self.qubits = max(self.qubits or 0, qubits) or None
