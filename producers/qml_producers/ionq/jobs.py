"""From submissions and sights to the contract's structs."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from qml_producers.ionq.outcomes import packed
from qml_producers.ionq.submissions import Submission
from qml_producers.observing.door import Sight
from qml_producers.prices import Prices, Use, open_for_host
from qml_producers.qiskit.circuits import CircuitFacts, CircuitReader
from quantum_mlops.events import Circuit, Cost, Failure, Job, Money, Outcomes, Register, ShotsMeasured

PROVIDER = "ionq"
PRIMITIVE = "backend.run"
Measured = Mapping[str, int]

_MAX_CIRCUITS = 64  # described in one job event
_MAX_PARTS = 256  # events of one job
_MAX_LABEL = 512
_SINGLE = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p")
_DOUBLE = ("cx", "cy", "cz", "ch", "csx", "swap", "crx", "cry", "crz", "cp", "rxx", "ryy", "rzz")
_PLAIN = frozenset({*_SINGLE, *_DOUBLE, "measure", "barrier", "id"})


class JobReader:
    """Makes the structs of jobs. For one thread: the writer's."""

    def __init__(self, report: Callable[[BaseException], None], prices: Prices | None = None) -> None:
        self._report = report
        self._circuits = CircuitReader()
        self._prices = prices
        self._looked_for_prices = prices is not None

    def created(self, submission: Submission) -> Job:
        """Return the data of `job.created`."""
        facts = self._describe(submission)
        estimated = submission.estimated = self._estimate(submission, len(facts))
        submission.call.price(estimated)
        return Job(
            job_id=submission.job_id,
            provider=PROVIDER,
            backend=submission.backend,
            provider_job_id=submission.job_id,
            session_id=submission.session_id,
            primitive=PRIMITIVE,
            circuits=list(submission.described),
            shots_requested=submission.shots,
            executions=len(facts),
            submit_seconds=submission.submit_seconds,
            cost=None if estimated is None else Cost(estimated=estimated),
            mitigation=submission.mitigation,
            warnings=list(submission.warnings),
        )

    def measured(self, submission: Submission, results: Iterable[Measured]) -> Iterator[ShotsMeasured]:
        """Yield the data of `shots.measured`, circuit by circuit."""
        facts = self._describe(submission)
        for number, (fact, registers, counts) in enumerate(zip(facts, submission.registers, results, strict=False)):
            found = packed(counts)
            if fact is None or found is None or number >= _MAX_PARTS:
                continue
            shots, outcomes = found
            yield ShotsMeasured(
                job_id=submission.job_id,
                backend=submission.backend,
                provider=PROVIDER,
                pub=number,
                circuit=fact.circuit.identity,
                circuit_name=fact.circuit.name,
                registers=[Register(name=name[:_MAX_LABEL], bits=bits) for name, bits in registers],
                shots=shots,
                outcomes=outcomes if isinstance(outcomes, Outcomes) else None,
                statistics=None if isinstance(outcomes, Outcomes) else outcomes,
            )

    def _describe(self, submission: Submission) -> list[CircuitFacts | None]:
        """Return the facts of each circuit, None where it cannot be read; the copies are let go."""
        if submission.facts is None:
            submission.facts = []
            submission.registers = [
                [(reg.name, reg.size) for reg in each.circuit.cregs] for each in submission.circuits
            ]
            described: dict[tuple[str, str | None], Circuit] = {}
            for circuit, key, source in submission.circuits:
                try:
                    facts = self._circuits.read(circuit, key)
                    submission.facts.append(facts)
                    before = None if source is None else self._circuits.read(source, id(source)).circuit.identity
                    described[facts.circuit.identity, before] = replace(facts.circuit, source_identity=before)
                except Exception as error:  # noqa: BLE001 - a gate of the user's own may do anything: counted
                    submission.facts.append(None)
                    self._report(error)
            submission.described = list(described.values())[:_MAX_CIRCUITS]
            submission.gates = _sum(map(_gates, submission.facts))
            submission.circuits = ()
        return submission.facts

    def _estimate(self, submission: Submission, executions: int) -> Money | None:
        if not self._looked_for_prices:
            self._looked_for_prices = True
            try:
                self._prices = open_for_host(os.environ)
            except Exception as error:  # noqa: BLE001 - a book that cannot be read: counted once, no estimates
                self._report(error)
        if self._prices is None:
            return None
        singles, pairs = submission.gates or (None, None)
        return self._prices.estimate(
            Use(
                provider=PROVIDER,
                device=submission.backend,
                at=datetime.now(UTC),
                executions=executions,
                shots=submission.shots,
                one_qubit_gates=singles,
                two_qubit_gates=pairs,
                error_mitigation=submission.mitigation.get("debiasing") == "true",
            )
        )


def seen(submission: Submission, sight: Sight, seconds: float | None) -> Job:
    """Return the data of what the user's polling saw; `seconds` since the submission by our own clock, at the end."""
    return Job(
        job_id=submission.job_id,
        provider=PROVIDER,
        backend=submission.backend,
        provider_job_id=submission.job_id,
        shots_executed=sight.shots_executed,
        executions=None if seconds is None else len(submission.facts or submission.circuits),
        times=sight.times,
        duration_seconds=seconds,
        qpu_seconds=sight.qpu_seconds,
        queue_seconds=sight.queue_seconds,
        predicted_queue_seconds=sight.predicted_queue_seconds,
        predicted_execution_seconds=sight.predicted_execution_seconds,
        cost=sight.cost or _reserved(submission, sight),
        failure=sight.failure,
        status_text=sight.status_text,
    )


def _reserved(submission: Submission, sight: Sight) -> Cost | None:
    """What IonQ keeps aside until the job has ended."""
    if submission.estimated is None or sight.status not in {"queued", "running"}:
        return None
    return Cost(reserved=submission.estimated)


def failed(submission: Submission, seconds: float, failure: Failure) -> Job:
    """Return the data of `job.failed` where there was no job."""
    return Job(
        job_id=submission.job_id,
        provider=PROVIDER,
        backend=submission.backend,
        primitive=PRIMITIVE,
        duration_seconds=seconds,
        failure=failure,
    )


def _gates(facts: CircuitFacts | None) -> tuple[int, int] | None:
    """Return the gates on one and on two qubits; None where a circuit has others, which IonQ's compiler makes gates of.

    Those of IonQ's own gate set are none of Qiskit's standard gates, so their circuits are among these.
    """
    if facts is None:
        return None
    counts = facts.circuit.gate_counts
    if not _PLAIN.issuperset(counts):
        return None
    return sum(counts.get(name, 0) for name in _SINGLE), sum(counts.get(name, 0) for name in _DOUBLE)


def _sum(gates: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    singles = pairs = 0
    for each in gates:
        if each is None:
            return None
        singles += each[0]
        pairs += each[1]
    return singles, pairs
