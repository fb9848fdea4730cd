"""From what was sent and measured to the contract's structs. For one thread: the writer's."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from qml_producers.braket.circuits import CircuitFacts
from qml_producers.braket.devices import Devices
from qml_producers.braket.exact import expectation_parts
from qml_producers.braket.measurements import CapturedResult, Part, parts_of
from qml_producers.braket.programs import ProgramReader, Sent
from quantum_mlops.events import Circuit, Failure, Footprint, Job, ShotsMeasured
from quantum_mlops.sdk.recorder import Item

PROVIDER = "braket"
_MAX_CIRCUITS = 64  # described in one job event
_MAX_QUBITS = 2048


@dataclass(slots=True)
class Described:
    """One job as the caller's thread leaves it: what was sent, where to, and what was asked for."""

    job_id: str
    backend: str
    primitive: str
    sent: list[Sent]
    shots: int | None = None
    executions: int | None = None
    is_physical: bool = False
    mitigation: dict[str, str] = field(default_factory=dict)


class JobReader:
    """Reads programs, and keeps what it read."""

    def __init__(self, devices: Devices, report: Callable[[BaseException], None]) -> None:
        self._devices = devices
        self._report = report
        self._programs = ProgramReader()

    def facts(self, sent: Sent) -> CircuitFacts | None:
        """Return what is known of a circuit; where that raises it is counted, and nothing is known."""
        try:
            return self._programs.read(sent)
        except Exception as error:  # noqa: BLE001 - a gate of the user's own may do anything: counted
            self._report(error)
            return None

    def circuits(self, job: Described) -> list[Circuit]:
        """Return each distinct circuit once, in order."""
        found: dict[str, Circuit] = {}
        for sent in job.sent:
            facts = self.facts(sent)
            if facts is not None:
                found.setdefault(facts.circuit.identity, facts.circuit)
        return list(found.values())[:_MAX_CIRCUITS]

    def footprint(self, job: Described, sent: Sequence[Sent]) -> Footprint | None:
        """Return the qubits and edges used, where they are those of the device and not the compiler's to choose."""
        known = [facts for each in sent if (facts := self.facts(each)) is not None and facts.qubits]
        if not known or not all(job.is_physical or facts.is_physical for facts in known):
            return None
        qubits = dict.fromkeys(qubit for facts in known for qubit in facts.qubits)
        edges = sorted({edge for facts in known for edge in facts.edges})
        if len(qubits) > _MAX_QUBITS:
            return None
        device = self._devices.find(job.backend)
        found = None if device is None else device.restricted_id(list(qubits), edges)
        return Footprint(qubits=list(qubits), edges=edges, calibration_id=found)

    def announce(self, job: Described) -> Iterator[Item]:
        """Yield the events of the device's calibration where it is news; an error is counted."""
        try:
            for snapshot in self._devices.announce(job.backend, PROVIDER):
                yield Item("calibration.snapshot", snapshot, partitionkey=snapshot.backend)
        except Exception as error:  # noqa: BLE001 - of a document that nobody foresaw: counted
            self._report(error)

    def measured(self, job: Described, captured: CapturedResult) -> Iterator[Item]:
        """Yield the events of what was measured; none of circuits that have no identity."""
        for each in captured.measured:
            if each.program < len(job.sent) and (facts := self.facts(job.sent[each.program])) is not None:
                sent = job.sent[each.program]
                yield self._measured(job, sent, facts, each.program, each.part, parts_of(each, facts, sent.inputs))
        if captured.expected and job.sent and (facts := self.facts(job.sent[0])) is not None:
            sent = job.sent[0]
            for part, fields in enumerate(expectation_parts(captured.expected, facts, sent.inputs)):
                yield self._measured(job, sent, facts, 0, part, fields)

    def _measured(self, job: Described, sent: Sent, facts: CircuitFacts, program: int, part: int, fields: Part) -> Item:
        data = ShotsMeasured(
            job_id=job.job_id,
            backend=job.backend,
            provider=PROVIDER,
            footprint=self.footprint(job, [sent]),
            pub=program,
            part=part,
            circuit=facts.circuit.identity,
            **fields,
        )
        return Item("shots.measured", data)


def failed(job: Described, seconds: float, failure: Failure | None) -> Iterator[Item]:
    """Yield the event of a call that raised; without a failure the user interrupted it."""
    yield Item(
        "job.cancelled" if failure is None else "job.failed",
        Job(
            job_id=job.job_id,
            provider=PROVIDER,
            backend=job.backend,
            primitive=job.primitive,
            duration_seconds=seconds,
            failure=failure,
        ),
    )
