"""What is answered: the things as they stand in JSON. Times are RFC 3339 in UTC; what is not known is left out."""

from typing import Annotated

from msgspec import Meta, Struct

from quantum_mlops.events import Severity

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Counts = Annotated[dict[str, int], Meta(description="How many, by status.")]


class Run(Struct, kw_only=True, omit_defaults=True):
    """A run. `first_time` and `last_time` are its emitters' times; `seen` and `changed` the log's."""

    id: str
    project: str
    status: str
    seen: Time
    changed: Time
    first_time: Time
    last_time: Time
    name: str | None = None
    implicit: bool = False
    started: Time | None = None
    ended: Time | None = None
    duration_seconds: float | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    tags: dict[str, str] = {}
    code_version: str | None = None
    sdk_versions: dict[str, str] = {}
    host: str | None = None
    experiment: str | None = None
    variant: str | None = None
    mlflow_run: str | None = None
    step: int | None = None
    events: int = 0
    metrics: int = 0
    metrics_not_kept: int = 0
    jobs: Counts = {}


class Money(Struct, kw_only=True, omit_defaults=True):
    """An amount as decimal text with its currency; by which price book, and where that has the price from."""

    amount: str
    currency: str
    price_version: str | None = None
    source: str | None = None


class Job(Struct, kw_only=True, omit_defaults=True):
    """A job, merged from all its events. `provider_*` times are the provider's own clock."""

    id: str
    project: str
    status: str | None
    seen: Time
    changed: Time
    first_time: Time
    last_time: Time
    run: str | None = None
    step: int | None = None
    provider: str | None = None
    backend: str | None = None
    provider_job_id: str | None = None
    session_id: str | None = None
    primitive: str | None = None
    gradient_method: str | None = None
    role: str | None = None
    circuits: int | None = None
    circuit_identities: list[str] = []
    width_max: int | None = None
    depth_max: int | None = None
    two_qubit_gates_max: int | None = None
    qubits: list[int] = []
    edges: list[tuple[int, int]] = []
    calibration_id: str | None = None
    calibration_id_after: str | None = None
    shots_requested: int | None = None
    shots_executed: int | None = None
    executions: int | None = None
    provider_created: Time | None = None
    provider_queued: Time | None = None
    provider_started: Time | None = None
    provider_ended: Time | None = None
    submit_seconds: float | None = None
    duration_seconds: float | None = None
    qpu_seconds: float | None = None
    queue_seconds: float | None = None
    predicted_queue_seconds: float | None = None
    predicted_execution_seconds: float | None = None
    pending_jobs: int | None = None
    queue_position: int | None = None
    cost_estimated: Money | None = None
    cost_reserved: Money | None = None
    cost_final: Money | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    mitigation: dict[str, str] = {}
    status_text: str | None = None
    warnings: list[str] = []


class Canary(Struct, kw_only=True, omit_defaults=True):
    """One canary: how many executions of it the log told of, and when the last one came (the log's time).

    They are what drift is charted from; how many of them the reference holds is known to the drift processor alone.
    """

    circuit: str
    executions: int
    last: Time
    qubits: list[int] | None = None
    parameters: str | None = None


class Backend(Struct, kw_only=True, omit_defaults=True):
    """A backend as one project used it. `canaries` counts all executions, `executed` by canary those with outcomes."""

    id: str
    project: str
    seen: Time
    changed: Time
    provider: str | None = None
    qubits: int | None = None
    calibration_id: str | None = None
    calibration_time: Time | None = None
    last_job: Time | None = None
    last_canary: Time | None = None
    pending_jobs: int | None = None
    pending_jobs_time: Time | None = None
    canaries: int = 0
    executed: list[Canary] = []
    jobs: Counts = {}


class Point(Struct, kw_only=True, omit_defaults=True):
    """One value of a series."""

    time: Time
    value: float
    step: int | None = None


class Series(Struct, kw_only=True, omit_defaults=True):
    """A metric of a run. Of `points` (only where one series is asked for) each `stride`-th is kept."""

    id: str
    project: str
    run: str
    metric: str
    seen: Time
    changed: Time
    count: int
    nonfinite: int = 0
    last_nonfinite: str | None = None
    last: float | None = None
    last_time: Time | None = None
    last_step: int | None = None
    low: float | None = None
    high: float | None = None
    stride: int = 1
    points: list[Point] = []


class Change(Struct, kw_only=True):
    """One transition of a finding."""

    transition: int
    change: str
    time: Time


class EventKey(Struct, frozen=True):
    """The name of an event."""

    source: str
    id: str


class Evidence(Struct, kw_only=True, omit_defaults=True):
    """What a finding stands on. `bundle` (only where one finding is asked for) runs it again; gone with the log."""

    events: list[EventKey] = []
    partition: int = 0
    offset: int = 0
    config_hash: str | None = None
    processor: str | None = None
    processor_version: int | None = None
    bundle: str | None = None


class Finding(Struct, kw_only=True, omit_defaults=True):
    """A finding with its life."""

    id: str
    project: str
    rule: str
    status: str
    severity: Severity
    opened: Time
    closed: Time | None = None
    seen: Time
    changed: Time
    transitions: int
    series: str
    labels: dict[str, str]
    annotations: dict[str, str]
    values: dict[str, float]
    details: dict[str, list[dict[str, str]]] = {}
    at_close: dict[str, float] = {}
    reason: str | None = None
    late: bool = False
    changes: list[Change] = []
    evidence: Evidence


class Alert(Struct, kw_only=True, omit_defaults=True):
    """An alert as the dispatcher holds it: what fires, and what ended and is not yet told to everybody."""

    id: str
    fingerprint: str
    finding: str
    findings: list[str]
    rule: str
    status: str
    severity: Severity
    starts: Time
    updated: Time
    ends: Time | None = None
    labels: dict[str, str]
    annotations: dict[str, str]
    values: dict[str, float]
    details: dict[str, list[dict[str, str]]] = {}
    reason: str | None = None
    late: bool = False
