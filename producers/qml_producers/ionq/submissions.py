"""What is taken when a job is submitted, and which submitted jobs are still followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from qiskit import QuantumCircuit

from qml_producers.observing.reports import Call
from qml_producers.qiskit.circuits import CircuitFacts

_MOST_JOBS = 10_000
_MAX_LABEL = 512
_IDEAL = "ideal"


@dataclass(slots=True)
class Submission:
    """One job: one user call of `backend.run`.

    `circuits` are copies until the writer's thread has read them into `facts`, `registers` and `gates`: the gates on
    one and on two qubits over all circuits, None where there are wider ones. `word` is the last status seen.
    """

    call: Call
    backend: str
    job_id: str = ""
    circuits: list[tuple[QuantumCircuit, int]] = field(default_factory=list)
    facts: list[CircuitFacts | None] | None = None
    registers: list[list[tuple[str, int]]] = field(default_factory=list)
    shots: int | None = None
    session_id: str | None = None
    mitigation: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    submitted: datetime | None = None
    submit_seconds: float | None = None
    word: str = ""
    gates: tuple[int, int] | None = None

    @property
    def is_mitigated(self) -> bool:
        """Whether IonQ mitigates errors in this job, which has a price."""
        return self.mitigation.get("debiasing") == "true"


def take(submission: Submission, job: Any, run_input: Any) -> None:
    """Note what was submitted: copies of the circuits and the options that the job was made with."""
    given = list(run_input) if isinstance(run_input, (list, tuple)) else [run_input]
    options: Mapping[str, Any] = getattr(job, "_passed_args", None) or {}
    submission.job_id = job.job_id()
    submission.submitted = datetime.now(UTC)
    submission.submit_seconds = submission.call.seconds
    submission.circuits = copies(given)
    shots = options.get("shots")
    submission.shots = shots if isinstance(shots, int) and shots >= 0 else None
    session = options.get("session_id")
    submission.session_id = None if session is None else str(session)[:_MAX_LABEL]
    submission.backend = backend_name(job.backend(), options)
    submission.mitigation = mitigation(submission.backend, options, submission.shots)


def copies(circuits: Sequence[QuantumCircuit]) -> list[tuple[QuantumCircuit, int]]:
    """Return each circuit with the id of the user's own, copied once."""
    found: dict[int, QuantumCircuit] = {}
    for circuit in circuits:
        if id(circuit) not in found:
            found[id(circuit)] = circuit.copy()
    return [(found[id(circuit)], id(circuit)) for circuit in circuits]


def backend_name(backend: Any, options: Mapping[str, Any]) -> str:
    """Return the name that the API has for a backend; a simulator with noise has the model's name behind a dot.

    Outcomes of two noise models are those of two devices, and are not to be compared.
    """
    name = str(backend.name).removeprefix("ionq_")
    if name != "simulator":
        return name[:_MAX_LABEL]
    model = options.get("noise_model") or getattr(backend.options, "noise_model", None) or _IDEAL
    return name if model == _IDEAL else f"{name}.{model}"[:_MAX_LABEL]


def mitigation(backend: str, options: Mapping[str, Any], shots: int | None) -> dict[str, str]:
    """Return what was asked of IonQ's error mitigation; on QPUs debiasing is the default from 500 shots on."""
    asked = getattr(options.get("error_mitigation"), "value", None)  # an enumeration of the SDK's
    if not isinstance(asked, Mapping):
        asked = (options.get("job_settings") or {}).get("error_mitigation")
    if isinstance(asked, Mapping) and isinstance(asked.get("debiasing"), bool):
        return {"debiasing": str(asked["debiasing"]).lower()}
    if backend.startswith("qpu") and shots is not None and shots >= 500:  # noqa: PLR2004 - by IonQ's guide
        return {"debiasing": "true", "default": "true"}
    return {}


class Submissions:
    """The jobs that this process submitted and has not seen the last of. Thread-safe: single operations of a dict."""

    def __init__(self, most: int = _MOST_JOBS) -> None:
        self._known: dict[str, Submission] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._known)

    def add(self, submission: Submission) -> None:
        """Follow a job; beyond the most, the one submitted first is followed no more."""
        self._known[submission.job_id] = submission
        while len(self._known) > self._most:
            try:
                del self._known[next(iter(self._known))]
            except (KeyError, RuntimeError):  # another thread was quicker
                return

    def of(self, job_id: Any) -> Submission | None:
        """Return the submission of a job that is followed."""
        return self._known.get(job_id) if isinstance(job_id, str) else None

    def forget(self, submission: Submission) -> bool:
        """Follow a job no more; False where somebody else had that done already."""
        return self._known.pop(submission.job_id, None) is not None
