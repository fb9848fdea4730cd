"""What is taken when a job is submitted, and which submitted jobs are still followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qiskit import QuantumCircuit

from qml_producers.observing.reports import Call
from qml_producers.qiskit.circuits import CircuitFacts
from qml_producers.qiskit.sources import Sources
from quantum_mlops.events import Circuit, Money

_MOST_JOBS = 10_000
_MAX_LABEL = 512
_IDEAL = "ideal"


class Copied(NamedTuple):
    """A copy of a circuit, the id of the user's own, and the circuit that this one was transpiled from, if known."""

    circuit: QuantumCircuit
    key: int
    source: QuantumCircuit | None


@dataclass(slots=True)
class Submission:
    """One job: one user call of `backend.run`, with the `options` that the SDK made of its own and the user's.

    `circuits` are copies until the writer's thread has read them into what follows; `gates` are those on one and on
    two qubits over all circuits, None where there are wider ones. `word` is the last status seen.
    """

    call: Call
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    job_id: str = ""
    circuits: Sequence[Copied] = ()
    facts: list[CircuitFacts | None] | None = None
    described: Sequence[Circuit] = ()
    registers: Sequence[Sequence[tuple[str, int]]] = ()
    warnings: Sequence[str] = ()
    submit_seconds: float | None = None
    word: str = ""
    gates: tuple[int, int] | None = None
    estimated: Money | None = None
    _backend: str = ""

    @property
    def backend(self) -> str:
        """The name that the events give the backend."""
        if not self._backend:
            self._backend = backend_name(self.name, self.options)
        return self._backend

    @property
    def shots(self) -> int | None:
        """The shots of each circuit."""
        shots = self.options.get("shots")
        return shots if isinstance(shots, int) and shots >= 0 else None

    @property
    def session_id(self) -> str | None:
        """The session of IonQ's that the job is in."""
        session = self.options.get("session_id")
        return None if session is None else str(session)[:_MAX_LABEL]

    @property
    def mitigation(self) -> dict[str, str]:
        """What was asked of IonQ's error mitigation."""
        return mitigation(self.backend, self.options, self.shots)


def take(submission: Submission, job: Any, run_input: Any, sources: Sources) -> None:
    """Note what was submitted: copies of the circuits and the options that the job was made with."""
    submission.submit_seconds = submission.call.seconds
    submission.job_id = job.job_id()
    submission.options = getattr(job, "_passed_args", None) or {}  # of this job alone
    if not isinstance(run_input, (list, tuple)):
        submission.circuits = (Copied(run_input.copy(), id(run_input), sources.of(run_input)),)
        return
    found: dict[int, Copied] = {}
    for circuit in run_input:
        if id(circuit) not in found:
            found[id(circuit)] = Copied(circuit.copy(), id(circuit), sources.of(circuit))
    submission.circuits = [found[id(circuit)] for circuit in run_input]


def backend_name(name: str, options: Mapping[str, Any]) -> str:
    """Return the name that the API has for a backend; a simulator with noise has the model's name behind a dot.

    Outcomes of two noise models are those of two devices, and are not to be compared.
    """
    name = name.removeprefix("ionq_")
    if name != "simulator":
        return name[:_MAX_LABEL]
    model = options.get("noise_model") or _IDEAL
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
