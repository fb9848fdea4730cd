"""One followed job: what its events in the log said that every event about it must repeat."""

from typing import TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from qml_producers.observing.door import Asked
from quantum_mlops.events import Circuit, Context, Event, Job, short_name
from quantum_mlops.events.job_status import TERMINAL_STATUSES, higher_status, job_status

CIRCUIT_BYTES = 16 * 1024
"""What the circuits of a bill may take; a job with more of them names none there."""

S = TypeVar("S", bound=Struct)

_REPEATED = (
    "provider",
    "backend",
    "provider_job_id",
    "session_id",
    "primitive",
    "role",
    "shots_requested",
    "executions",
)


class FollowedJob(Struct, kw_only=True, omit_defaults=True):
    """One job of one project.

    Attributes:
        partitionkey, project, context: Of its events; what follows is told in the same.
        job: What it is, repeated in everything that is told of it.
        circuits: Its circuits without their gates, where they fit.
        status: The highest that anybody told.
        first: The log's time of the first event that was heard of it (ns).
        since: When the status was first known here (ns).
        timed: Whether an end with the provider's times was told.
        billed: Whether a final cost was told.
        words: The words of the provider that were told last, where nobody knows them.
        told: By type, the digest of what was told last.
        refusals: How often in a row the provider did not know the job, or did not tell us.

    """

    partitionkey: str
    project: str
    context: Context = Context()
    job: Job
    circuits: list[Circuit] = field(default_factory=list)
    status: str | None = None
    first: int
    since: int
    timed: bool = False
    billed: bool = False
    words: str | None = None
    told: dict[str, str] = field(default_factory=dict)
    refusals: int = 0

    @property
    def provider(self) -> str:
        """The provider's name; every followed job has one."""
        return self.job.provider or ""

    @property
    def asked(self) -> Asked:
        """The job as its provider knows it."""
        job = self.job
        return Asked(job_id=job.provider_job_id or job.job_id, backend=job.backend, shots_requested=job.shots_requested)

    @property
    def ended(self) -> bool:
        """Whether nothing but the bill is expected."""
        return self.status in TERMINAL_STATUSES

    def take(self, event: Event, data: Job, now: int) -> None:
        """Take in one event of the job. Idempotent; what is told first of a fact stays."""
        self.first = min(self.first, now)
        self.context = _fill(self.context, event.context)
        self.job = _fill(self.job, Job(job_id=data.job_id, **{name: getattr(data, name) for name in _REPEATED}))
        if not self.circuits and data.circuits:
            self.circuits = _compact(data.circuits)
        status = job_status(event.type)
        if status is not None:
            self.rise(status, now)
        if data.times is not None and data.times.ended is not None and status in TERMINAL_STATUSES:
            self.timed = True
        if data.cost is not None and data.cost.final is not None:
            self.billed = True
        if short_name(event.type) == "job.billed":
            self.billed = True

    def rise(self, status: str, now: int) -> None:
        """Note a status that was told; only a higher one changes anything."""
        higher = higher_status(self.status, status)
        if higher != self.status:
            self.status, self.since = higher, now


def begin(event: Event, data: Job, now: int) -> FollowedJob:
    """Return the job as its first event tells it."""
    job = FollowedJob(
        partitionkey=event.partitionkey,
        project=event.project,
        job=Job(job_id=data.job_id),
        first=now,
        since=now,
    )
    job.take(event, data, now)
    return job


def _fill(known: S, more: S) -> S:
    missing = {
        name: value
        for name in more.__struct_fields__
        if getattr(known, name) is None and (value := getattr(more, name)) is not None
    }
    return replace(known, **missing) if missing else known


def _compact(circuits: list[Circuit]) -> list[Circuit]:
    found = [replace(circuit, gate_counts={}) for circuit in circuits]
    return found if len(msgspec.json.encode(found)) <= CIRCUIT_BYTES else []
