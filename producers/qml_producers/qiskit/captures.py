"""What is taken while a job runs: copies that the user's later changes cannot reach, and nothing computed.

Circuits are mutable, and a pub does not copy the user's array of parameter values; a result's arrays are the user's
as soon as `result()` returns. All else waits for the writer's thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

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
class Submission:
    """One job: one user call of `run`. `job_id` is empty until there is one, `pubs` are set before the first report."""

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


def capture_pubs(kind: Kind, pubs: Iterable[Any], sources: Sources) -> list[CapturedPub]:
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
        captured.append(
            CapturedPub(
                copied,
                key,
                sources.of(circuit),
                {names: array.copy() for names, array in pub.parameter_values.data.items()},
                pub.shape,
                pub.shots if kind == "sampler" else None,
                pub.observables if kind == "estimator" else None,
            )
        )
    return captured


def capture_results(kind: Kind, result: Iterable[Any]) -> list[CapturedResult]:
    """Return copies of what was measured. In the thread where the job ended, or the caller's."""
    return [_sampled(each) if kind == "sampler" else _estimated(each) for each in result]


def _sampled(pub: Any) -> CapturedResult:
    registers = [
        (name, bits.num_bits, bits.array.tobytes(), bits.array.shape)
        for name, bits in pub.data.items()
        if isinstance(bits, BitArray)
    ]
    shots = next((bits.num_shots for bits in pub.data.values() if isinstance(bits, BitArray)), None)
    return CapturedResult(registers, None, None, shots)


def _estimated(pub: Any) -> CapturedResult:
    errors = getattr(pub.data, "stds", None)
    shots = pub.metadata.get("shots")
    return CapturedResult(
        [],
        np.array(pub.data.evs, copy=True),
        None if errors is None else np.array(errors, copy=True),
        shots if isinstance(shots, int) else None,
    )
