"""Jobs: one submission to a backend, as several emitters see it.

All job events carry the same struct, since a job's state is an order-free merge of them: the type
gives the status, each field wins by its provider time.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from quantum_mlops.events.envelope import Label, Name
from quantum_mlops.events.run import Failure

Count = Annotated[int, Meta(ge=0, le=2**53)]
UtcTime = Annotated[datetime, Meta(tz=True)]
Amount = Annotated[str, Meta(pattern=r"^-?\d{1,20}(\.\d{1,12})?$")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class Circuit(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of one circuit without its text.

    `identity` is the `c1:` identity of the circuit as submitted, `source_identity` that of the
    circuit before transpilation when it is known. `width` counts qubits, `depth` levels of gates.
    """

    identity: Label
    source_identity: Label | None = None
    name: Label | None = None
    width: Count | None = None
    depth: Count | None = None
    two_qubit_gates: Count | None = None
    gate_counts: dict[str, Count] = field(default_factory=dict)


class Footprint(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The part of a device that a job used.

    `qubits` are physical and in circuit order; `edges` are the pairs that two-qubit gates used,
    sorted; `calibration_id` covers the calibration values of exactly these. Where they changed while the
    job waited or ran and it is not known which were in force when it executed, that is the id at submission
    and `calibration_id_after` the one at the end: it was one of the two.
    """

    qubits: list[Count] = field(default_factory=list)
    edges: list[tuple[Count, Count]] = field(default_factory=list)
    calibration_id: Label | None = None
    calibration_id_after: Label | None = None


class Money(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An amount as decimal text with an ISO 4217 currency; amounts of two currencies never add."""

    amount: Amount
    currency: Currency
    price_version: Label | None = None
    source: Label | None = None


class Cost(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a job costs; unknown is null, never 0."""

    estimated: Money | None = None
    reserved: Money | None = None
    final: Money | None = None


class ProviderTimes(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The provider's own clock, never mixed with ours."""

    created: UtcTime | None = None
    queued: UtcTime | None = None
    started: UtcTime | None = None
    ended: UtcTime | None = None


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One job, as far as its emitter knows it; `job_id` is ours and names the job everywhere.

    `shots_requested` and `shots_executed` are per circuit execution, `executions` counts those.
    `gradient_method` is how the SDK takes gradients of what it executes ("parameter-shift", "adjoint"), if it says so.
    `role` is "canary" for the reference executions that the SDK adds, else null. `qpu_seconds` is how long the
    device executed or what it charges, by the provider; `queue_seconds` how long the job waited, by the provider's
    times or by the status changes that were seen; `predicted_queue_seconds` and `predicted_execution_seconds` what
    the provider foretold at submission. `warnings` say what is wrong with the job though it may complete: a stable
    code, a colon, and of what ("wrong-bits: BackendSamplerV2 over IonQ").
    """

    job_id: Name
    provider: Label | None = None
    backend: Label | None = None
    provider_job_id: Label | None = None
    session_id: Label | None = None
    primitive: Label | None = None
    gradient_method: Label | None = None
    role: Label | None = None
    circuits: list[Circuit] = field(default_factory=list)
    footprint: Footprint | None = None
    shots_requested: Count | None = None
    shots_executed: Count | None = None
    executions: Count | None = None
    times: ProviderTimes | None = None
    submit_seconds: float | None = None
    duration_seconds: float | None = None
    qpu_seconds: float | None = None
    queue_seconds: float | None = None
    predicted_queue_seconds: float | None = None
    predicted_execution_seconds: float | None = None
    pending_jobs: Count | None = None
    queue_position: Count | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    mitigation: dict[str, str] = field(default_factory=dict)
    status_text: Label | None = None
    warnings: list[Label] = field(default_factory=list)


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A provider's session; `wall_seconds` since it was opened."""

    session_id: Name
    provider: Label | None = None
    backend: Label | None = None
    wall_seconds: float | None = None
    idle_seconds: float | None = None
    cost: Cost | None = None
