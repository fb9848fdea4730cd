"""From captures to the contract's structs: jobs and measured shots.

A parameter sweep becomes one event for each of its elements while they are few, else one event with the pooled
statistics of the whole pub.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from qml_producers.calibrations.in_force import Executed, footprint_in_force
from qml_producers.observing.expectations import expectations, observables_label
from qml_producers.observing.outcomes import join_registers, pack, pool
from qml_producers.qiskit.captures import CapturedPub, CapturedResult, Submission
from qml_producers.qiskit.circuits import CircuitReader
from qml_producers.qiskit.footprint import union
from qml_producers.qiskit.snapshots import Backends, Calibration
from qml_producers.qiskit.told import ToldCalibrations
from quantum_mlops.circuits import parameters_digest
from quantum_mlops.events import Circuit, Failure, Footprint, Job, Outcomes, Register, ShotsMeasured

Part = dict[str, Any]  # the fields of one event

MAX_PARTS = 256  # events of one job; a pub that would exceed it is pooled
_MAX_LABEL = 512
_MAX_CIRCUITS = 64  # described in one job event


class JobReader:
    """Makes the structs of jobs. For one thread: the writer's."""

    def __init__(self, backends: Backends, report: Callable[[BaseException], None]) -> None:
        self.backends = backends
        self._report = report
        self._circuits = CircuitReader()
        self._told = ToldCalibrations()

    def describe(self, submission: Submission) -> list[CapturedPub]:
        """Return the pubs, with what is known of their circuits filled in."""
        pubs = submission.pubs
        for pub in pubs:
            if pub.facts is None:
                try:
                    pub.facts = self._circuits.read(pub.circuit, pub.key)
                    if pub.source is not None:
                        pub.source_identity = self._circuits.read(pub.source, id(pub.source)).circuit.identity
                except Exception as error:  # noqa: BLE001 - a gate of the user's own may do anything: counted
                    self._report(error)
        return pubs

    def calibration(self, submission: Submission) -> Calibration | None:
        """Return the calibration in force at submission; None without a device that publishes one."""
        if submission.backend is None:
            return None
        found = self.backends.calibration(submission.backend, submission.token)
        return found if found.columns else None

    def calibration_after(self, submission: Submission) -> Calibration | None:
        """Return the calibration at the job's end; None where it is the one at submission, or nobody can tell."""
        if submission.backend is None or submission.token_after is None:
            return None
        found = self.backends.calibration(submission.backend, submission.token_after)
        before = self.calibration(submission)
        changed = before is not None and found.columns and found.calibration_id != before.calibration_id
        return found if changed else None

    def used(self, submission: Submission, qubits: list[int], edges: list[tuple[int, int]]) -> Footprint | None:
        """Return a footprint with the calibration in force at execution, as far as it is known by now."""
        before = self.calibration(submission)
        after = self.calibration_after(submission)
        if before is None or after is None or after.restricted_id(qubits, edges) == before.restricted_id(qubits, edges):
            return _footprint(before, qubits, edges)
        return footprint_in_force(before.columns, after.columns, qubits, edges, _executed(submission))

    def ended(self, submission: Submission, seconds: float, shots: int | None) -> Job:
        """Return the data of `job.completed`; it tells the footprint again only where the calibration changed."""
        job = ended(submission, seconds, shots)
        if self.calibration_after(submission) is None:
            return job
        return replace(job, footprint=self.used(submission, *_union(self.describe(submission))))

    def created(self, submission: Submission) -> Job:
        """Return the data of `job.created`."""
        pubs = self.describe(submission)
        calibration = self.calibration(submission)
        used = _union(pubs)
        return Job(
            job_id=submission.job_id,
            provider=submission.provider,
            backend=_backend(submission),
            provider_job_id=submission.job_id,
            primitive=submission.primitive,
            role=submission.role,
            circuits=_circuits(pubs),
            footprint=_footprint(calibration, *used),
            shots_requested=common(pub.shots for pub in pubs),
            executions=_executions(submission, pubs),
            session_id=submission.service.session_id,
            pending_jobs=submission.service.pending_jobs,
            mitigation=submission.service.mitigation,
        )

    def measured(self, submission: Submission, parts: Sequence[Sequence[Part]]) -> Iterator[ShotsMeasured]:
        """Yield the data of `shots.measured`, pub by pub."""
        pubs = self.describe(submission)
        looks = (self.calibration(submission), self.calibration_after(submission))
        is_canary = submission.role == "canary"
        run = submission.call.run_id
        for number, (pub, found) in enumerate(zip(pubs, parts, strict=bool(pubs))):
            facts = pub.facts
            if facts is None or not found:
                continue
            used = self.used(submission, facts.qubits, facts.edges)
            circuit = facts.circuit.identity
            news = None
            if is_canary:
                told = next((look for look in looks if look is not None and _is_of(used, look)), None)
                news = self._told.news(told, used, run, _backend(submission), circuit)
            for part, measured in enumerate(found):
                yield ShotsMeasured(
                    job_id=submission.job_id,
                    backend=_backend(submission),
                    provider=submission.provider,
                    footprint=used,
                    pub=number,
                    part=part,
                    circuit=circuit,
                    circuit_name=facts.circuit.name,
                    reference="canary" if is_canary else None,
                    calibration=news if part == 0 else None,
                    **measured,
                )


def measure(pubs: Sequence[CapturedPub], results: Sequence[CapturedResult]) -> list[list[Part]]:
    """Return what each pub measured, in as many parts as it has events. Pure; in any thread."""
    left = MAX_PARTS
    found: list[list[Part]] = []
    for pub, result in zip(pubs, results, strict=bool(pubs)):
        parts = list(_estimates(pub, result) if result.values is not None else _samples(pub, result, left))
        left -= len(parts)
        found.append(parts)
    return found


def ended(submission: Submission, seconds: float, shots: int | None) -> Job:
    """Return the data of `job.completed`."""
    service = submission.service
    return Job(
        job_id=submission.job_id,
        backend=_backend(submission),
        provider=submission.provider,
        role=submission.role,
        shots_executed=shots,
        executions=_executions(submission, submission.pubs),
        submit_seconds=submission.submit_seconds,
        duration_seconds=seconds,
        session_id=service.session_id,
        times=service.times,
        qpu_seconds=service.qpu_seconds,
        queue_seconds=service.queue_seconds,
    )


def failed(submission: Submission, seconds: float, failure: Failure | None) -> Job:
    """Return the data of `job.failed`, or of `job.cancelled` where there is none."""
    return Job(
        job_id=submission.job_id,
        backend=_backend(submission),
        provider=submission.provider,
        primitive=submission.primitive,
        role=submission.role,
        duration_seconds=seconds,
        session_id=submission.service.session_id,
        times=submission.service.times,
        qpu_seconds=submission.service.qpu_seconds,
        queue_seconds=submission.service.queue_seconds,
        failure=failure,
    )


def _samples(pub: CapturedPub, result: CapturedResult, left: int) -> Iterator[Part]:
    """One element of a sweep after the other, or all of them pooled where they are more than `left`."""
    if not result.registers or result.shots is None:
        return
    elements = math.prod(pub.shape)
    arrays = [
        (np.frombuffer(data, np.uint8).reshape(elements, result.shots, shape[-1]), bits)
        for _, bits, data, shape in result.registers
    ]
    common = {"registers": [Register(name=name[:_MAX_LABEL], bits=bits) for name, bits, _, _ in result.registers]}
    values = ordered_values(pub)
    if elements > max(left, 1):
        rows, bits = join_registers([(array.reshape(-1, array.shape[-1]), bits) for array, bits in arrays])
        shots = elements * result.shots
        yield {**common, "shots": shots, "parameters": _digest(values), "statistics": pool(rows, bits)}
        return
    table = None if values is None else values.reshape(elements, -1)
    for element in range(elements):
        rows, bits = join_registers([(array[element], bits) for array, bits in arrays])
        packed = pack(rows, bits)
        kind = "outcomes" if isinstance(packed, Outcomes) else "statistics"
        digest = None if table is None else _digest(table[element])
        yield {**common, "shots": result.shots, "parameters": digest, kind: packed}


def _estimates(pub: CapturedPub, result: CapturedResult) -> Iterator[Part]:
    if result.values is None:
        return
    label = observables_label(np.ravel(np.array(pub.observables.tolist(), dtype=object)).tolist())
    digest = _digest(ordered_values(pub))
    for expectation in expectations(result.values, result.errors, label):
        yield {"shots": result.shots or 0, "parameters": digest, "expectation": expectation}


def ordered_values(pub: CapturedPub) -> NDArray[np.float64] | None:
    """Return the bound values, last axis in the order of `circuit.parameters`; None without parameters."""
    if not pub.values:
        return None
    names = tuple(parameter.name for parameter in pub.circuit.parameters)
    if len(pub.values) == 1:
        ((keys, array),) = pub.values.items()
        if keys == names:
            return array
    by_name = {name: array[..., i] for keys, array in pub.values.items() for i, name in enumerate(keys)}
    return np.stack(np.broadcast_arrays(*[by_name[name] for name in names]), axis=-1) if names else None


def _digest(values: NDArray[np.float64] | None) -> str | None:
    return None if values is None else parameters_digest(np.ravel(values).tolist())


def _circuits(pubs: Iterable[CapturedPub]) -> list[Circuit]:
    """Each distinct circuit once, in order."""
    found: dict[tuple[str, str | None], Circuit] = {}
    for pub in pubs:
        if pub.facts is None:
            continue
        circuit = pub.facts.circuit
        if (circuit.identity, pub.source_identity) not in found:
            found[circuit.identity, pub.source_identity] = (
                circuit
                if pub.source_identity is None
                else Circuit(
                    identity=circuit.identity,
                    source_identity=pub.source_identity,
                    name=circuit.name,
                    width=circuit.width,
                    depth=circuit.depth,
                    two_qubit_gates=circuit.two_qubit_gates,
                    gate_counts=circuit.gate_counts,
                )
            )
    return list(found.values())[:_MAX_CIRCUITS]


def _footprint(calibration: Calibration | None, qubits: list[int], edges: list[tuple[int, int]]) -> Footprint | None:
    if calibration is None:
        return None
    return Footprint(qubits=qubits, edges=edges, calibration_id=calibration.restricted_id(qubits, edges))


def _union(pubs: Iterable[CapturedPub]) -> tuple[list[int], list[tuple[int, int]]]:
    return union((pub.facts.qubits, pub.facts.edges) for pub in pubs if pub.facts is not None)


def _is_of(used: Footprint | None, calibration: Calibration) -> bool:
    """Whether a footprint's id is of these values; one whose values are of two looks is of none."""
    return used is not None and used.calibration_id == calibration.restricted_id(used.qubits, used.edges)


def _executed(submission: Submission) -> Executed | None:
    """When the job executed, where the provider has said it by now."""
    times = submission.service.times
    if times is None or times.started is None or times.ended is None:
        return None
    return Executed(times.started.timestamp(), times.ended.timestamp())


def _executions(submission: Submission, pubs: Sequence[CapturedPub]) -> int | None:
    """Of a sampler; how many circuits an estimator measures is its own affair."""
    return sum(math.prod(pub.shape) for pub in pubs) if submission.kind == "sampler" and pubs else None


def submitted(pubs: Sequence[CapturedPub]) -> tuple[int, int]:
    """Return the circuits at one set of parameter values each, and the shots of all of them, as far as they are set.

    An estimator's are its expectation values: what it makes of each is its own affair.
    """
    executions = [math.prod(pub.shape) for pub in pubs]
    return sum(executions), sum(number * (pub.shots or 0) for number, pub in zip(executions, pubs, strict=True))


def _backend(submission: Submission) -> str:
    return submission.primitive if submission.backend is None else submission.backend.name


def common(values: Iterable[int | None]) -> int | None:
    """The one value that all share, else None."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
