"""One job as its events tell it: the status of highest rank, each fact by its provider's time.

Of circuits the view keeps how many and how large they are; the events hold the rest.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from qml_daemon.views.merged import Merged, Stamp
from quantum_mlops.events import Circuit, Cost, Event, Footprint, Job, ProviderTimes
from quantum_mlops.events.job_status import higher_status, job_status

IDENTITIES_KEPT = 16
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_PLAIN = tuple(
    name
    for name in Job.__struct_fields__
    if name not in {"job_id", "circuits", "footprint", "times", "cost", "failure", "mitigation", "warnings"}
)
_LARGEST = ("width", "depth", "two_qubit_gates")


class JobRow(Struct):
    """A job. `merged.facts` are the fields of its events; `seen` and `changed` are the log's times (ns)."""

    project: str
    job_id: str
    seen: int
    changed: int
    status: str | None = None
    first_time: int = 0
    last_time: int = 0
    merged: Merged = field(default_factory=Merged)

    @property
    def columns(self) -> tuple[str | None, ...]:
        """What jobs are filtered by: run, backend, status."""
        facts = self.merged.facts
        return (facts.get("run"), facts.get("backend"), self.status)

    def apply(self, event: Event, job: Job) -> None:
        """Merge one event. Idempotent; any order of the same events gives the same job."""
        self.status = higher_status(self.status, job_status(event.type))
        self.first_time = min(self.first_time, event.time) if self.first_time else event.time
        self.last_time = max(self.last_time, event.time)
        self.merged.tell(_stamp(event, job), _facts(event, job))


def _stamp(event: Event, job: Job) -> Stamp:
    time = event.time
    if job.times is not None:
        told = [at for at in _times(job.times).values() if at is not None]
        if told:
            time = (max(told) - _EPOCH) // _MICROSECOND * 1000
    return (time, event.source, event.id)


def _facts(event: Event, job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(job, name)) is not None}
    context = event.context
    if context.runid is not None:
        facts["run"] = context.runid
    if context.step is not None:
        facts["step"] = context.step
    if job.circuits:
        facts |= _circuits(job.circuits)
    if job.footprint is not None:
        facts |= _footprint(job.footprint)
    if job.times is not None:
        facts |= {f"provider_{name}": _text(at) for name, at in _times(job.times).items() if at is not None}
    if job.cost is not None:
        facts |= _cost(job.cost)
    if job.failure is not None:
        facts["failure_code"], facts["failure_message"] = job.failure.code, job.failure.message
    if job.mitigation:
        facts["mitigation"] = job.mitigation
    if job.warnings:
        facts["warnings"] = job.warnings
    return facts


def _circuits(circuits: list[Circuit]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "circuits": len(circuits),
        "circuit_identities": [one.identity for one in circuits[:IDENTITIES_KEPT]],
    }
    for name in _LARGEST:
        sizes = [size for one in circuits if (size := getattr(one, name)) is not None]
        if sizes:
            facts[f"{name}_max"] = max(sizes)
    return facts


def _footprint(footprint: Footprint) -> dict[str, Any]:
    facts: dict[str, Any] = {"qubits": footprint.qubits, "edges": footprint.edges}
    if footprint.calibration_id is not None:
        facts["calibration_id"] = footprint.calibration_id
    if footprint.calibration_id_after is not None:
        facts["calibration_id_after"] = footprint.calibration_id_after
    return facts


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _times(times: ProviderTimes) -> dict[str, datetime | None]:
    return {"created": times.created, "queued": times.queued, "started": times.started, "ended": times.ended}


def _cost(cost: Cost) -> dict[str, Any]:
    """Return each amount with its currency as one fact: the two must not come from two events."""
    told = {"cost_estimated": cost.estimated, "cost_reserved": cost.reserved, "cost_final": cost.final}
    return {
        name: {
            "amount": money.amount,
            "currency": money.currency,
            "price_version": money.price_version,
            "source": money.source,
        }
        for name, money in told.items()
        if money is not None
    }
