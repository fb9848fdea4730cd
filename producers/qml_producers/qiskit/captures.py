"""What is taken while a job runs: copies that the user's later changes cannot reach, and nothing computed.

Circuits are mutable, and a pub does not copy the user's array of parameter values; a result's arrays are the user's
as soon as `result()` returns. All else waits for the writer's thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qml_producers.observing.reports import Call
from qml_producers.qiskit.circuits import CircuitFacts
from qml_producers.qiskit.snapshots import Backend
from qml_producers.qiskit.sources import Sources
from quantum_mlops.events import ProviderTimes

Kind = Literal["sampler", "estimator"]
_PUBS: dict[Kind, Any] = {"sampler": SamplerPub, "estimator": EstimatorPub}


@dataclass(slots=True)
class CapturedPub:
    """One pub as submitted. `facts` and `source_identity` are filled in by the writer's thread."""

    circuit: QuantumCircuit
    key: int
    source: QuantumCircuit | None
    values: dict[tuple[str, ...], NDArray[np.float64]]
    shape: tuple[int, ...]
    shots: int | None
    observables: Any
    facts: CircuitFacts | None = None
    source_identity: str | None = None


@dataclass(slots=True)
class Service:
    """What a provider's service and its options add to a job; all absent where the job is local."""

    session_id: str | None = None
    mitigation: dict[str, str] = field(default_factory=dict)
    default_shots: int | None = None
    pending_jobs: int | None = None
    times: ProviderTimes | None = None
    qpu_seconds: float | None = None
    queue_seconds: float | None = None


@dataclass(slots=True)
class Submission:
    """One job: one user call of `run`. `job_id` is empty until there is one, `pubs` are set before the first report.

    `marker` is what marks the caller's context during the call. `token` stands for the calibration at submission,
    `token_after` for that at the end where it is another one.
    """

    kind: Kind
    primitive: str
    provider: str
    backend: Backend | None
    token: Any
    role: str | None
    call: Call
    job_id: str = ""
    pubs: list[CapturedPub] = field(default_factory=list)
    submit_seconds: float | None = None
    service: Service = field(default_factory=Service)
    marker: Any = None
    token_after: Any = None


@dataclass(slots=True)
class CapturedResult:
    """One pub's result: bytes of its registers, or its expectation values; and the shots that the primitive reports."""

    registers: list[tuple[str, int, bytes, tuple[int, ...]]]
    values: NDArray[np.float64] | None
    errors: NDArray[np.float64] | None
    shots: int | None

    @property
    def size_bytes(self) -> int:
        """What this keeps alive."""
        values = 0 if self.values is None else 2 * self.values.nbytes
        return values + sum(len(data) for _, _, data, _ in self.registers)


def capture_pubs(
    kind: Kind, pubs: Iterable[Any], sources: Sources, default_shots: int | None = None
) -> list[CapturedPub]:
    """Return copies of pubs, each circuit copied once. Raises what coercing a pub raises."""
    copies: dict[int, QuantumCircuit] = {}
    captured = []
    for each in pubs:
        pub = each if isinstance(each, _PUBS[kind]) else _PUBS[kind].coerce(each)
        circuit = pub.circuit
        key = id(circuit)
        copied = copies.get(key)
        if copied is None:
            copied = copies[key] = circuit.copy()
        captured.append(_captured(kind, pub, Origin(key, sources.of(circuit)), copied, default_shots))
    return captured


class Origin(NamedTuple):
    """A circuit of the user's, by id, and what it was transpiled from."""

    key: int
    source: QuantumCircuit | None


def origins_of(pubs: Iterable[Any], sources: Sources) -> list[Origin]:
    """Return where the circuits of pubs, coerced or not, come from. Raises what is no pub."""
    circuits = [
        each if isinstance(each, QuantumCircuit) else each[0] if isinstance(each, (tuple, list)) else each.circuit
        for each in pubs
    ]
    return [Origin(id(circuit), sources.of(circuit)) for circuit in circuits]


def take_pubs(kind: Kind, pubs: Iterable[Any], origins: Iterable[Origin]) -> list[CapturedPub]:
    """Return coerced pubs that are copies already, made by the SDK, and nobody's but the job's."""
    return [_captured(kind, pub, origin, pub.circuit, None) for pub, origin in zip(pubs, origins, strict=True)]


def _captured(kind: Kind, pub: Any, origin: Origin, copied: QuantumCircuit, default_shots: int | None) -> CapturedPub:
    return CapturedPub(
        copied,
        origin.key,
        origin.source,
        {names: array.copy() for names, array in pub.parameter_values.data.items()},
        pub.shape,
        (pub.shots or default_shots) if kind == "sampler" else None,
        pub.observables if kind == "estimator" else None,
    )


def capture_results(kind: Kind, result: Iterable[Any]) -> list[CapturedResult]:
    """Return copies of what was measured. In the thread where the job ended, or the caller's."""
    if kind == "sampler":
        return [_sampled(each) for each in result]
    metadata = getattr(result, "metadata", None) or {}
    return [_estimated(each, metadata.get("shots")) for each in result]


def _sampled(pub: Any) -> CapturedResult:
    registers = [
        (name, bits.num_bits, bits.array.tobytes(), bits.array.shape)
        for name, bits in pub.data.items()
        if isinstance(bits, BitArray)
    ]
    shots = next((bits.num_shots for bits in pub.data.values() if isinstance(bits, BitArray)), None)
    return CapturedResult(registers, None, None, shots)


def _estimated(pub: Any, shots_of_all: Any) -> CapturedResult:
    """Some estimators tell the shots of each pub, some those of all."""
    errors = getattr(pub.data, "stds", None)
    shots = pub.metadata.get("shots", shots_of_all)
    return CapturedResult(
        [],
        np.array(pub.data.evs, copy=True),
        None if errors is None else np.array(errors, copy=True),
        shots if isinstance(shots, int) else None,
    )
