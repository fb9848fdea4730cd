"""What is taken while a job runs: copies that the user's later changes cannot reach, and nothing computed.

Circuits are mutable, and a pub does not copy the user's array of parameter values; a result's arrays are the user's
as soon as `result()` returns. All else waits for the writer's thread.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

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
    """One job as submitted: one user call of `run`."""

    job_id: str
    kind: Kind
    primitive: str
    provider: str
    backend: Backend | None
    token: Any
    role: str | None
    pubs: "Pubs"
    submit_seconds: float
    started: float


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


class Pubs:
    """The pubs of one call of `run`: copied once, by the job's own thread before it runs them, or by who asks first.

    `given` are used only if the job does not hold its pubs as it will run them. Thread-safe.
    """

    def __init__(
        self, kind: Kind, given: Iterable[Any], sources: Sources, report: Callable[[BaseException], None]
    ) -> None:
        self.job_id: int | None = None  # of Python: the job itself would make a cycle
        self._job: Any = None
        self._kind = kind
        self._given: Iterable[Any] = given
        self._sources = sources
        self._report = report
        self._lock = threading.Lock()
        self._taken: list[CapturedPub] | None = None

    def claim(self, job: Any) -> bool:
        """Take `job` for the one of these pubs, unless there is one already."""
        if self.job_id is not None:
            return False
        self._job, self.job_id = job, id(job)
        return True

    def begin(self) -> None:
        """Take the copies. Never raises: where it fails, that is reported, and there are none."""
        with self._lock:
            if self._taken is None:
                try:
                    self._taken = _copies(_pubs_of(self._job, self._kind, self._given), self._kind, self._sources)
                except Exception as error:  # noqa: BLE001 - in the user's job's thread: counted
                    self._taken = []
                    self._report(error)
                self._given = self._job = ()

    def taken(self) -> list[CapturedPub]:
        """Return the copies, taking them now if nobody did. For the writer's thread."""
        self.begin()
        return self._taken or []


def _copies(pubs: Iterable[Any], kind: Kind, sources: Sources) -> list[CapturedPub]:
    copies: dict[int, QuantumCircuit] = {}
    captured = []
    for pub in pubs:
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


def _pubs_of(job: Any, kind: Kind, pubs: Iterable[Any]) -> Iterable[Any]:
    arguments = getattr(job, "_args", ())
    wanted = _PUBS[kind]
    if arguments and isinstance(arguments[0], list) and all(isinstance(pub, wanted) for pub in arguments[0]):
        return arguments[0]
    return [wanted.coerce(pub) for pub in pubs]


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
