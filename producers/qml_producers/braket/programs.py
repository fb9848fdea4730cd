"""What was sent: circuits, program sets, programs as text; copied in the caller's thread, read in the writer's.

An OpenQASM program is read as the circuit that the SDK makes of it, so that it has that circuit's identity. What
cannot be read (pulses, analog programs, control flow) is identified by a digest of its text under a name of its own.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from braket.ahs.analog_hamiltonian_simulation import AnalogHamiltonianSimulation
from braket.circuits import Circuit as BraketCircuit
from braket.ir.ahs import Program as AhsProgram
from braket.ir.openqasm import Program as OpenQasmProgram
from braket.ir.openqasm import ProgramSet as OpenQasmProgramSet
from braket.program_sets import CircuitBinding, ProgramSet

from qml_producers.braket.circuits import CircuitCopy, CircuitFacts, CircuitReader, copy_circuit
from quantum_mlops.codec import digest
from quantum_mlops.events import Circuit

_KEPT = 64
_MAX_SOURCE = 16 * 1024  # reading a kilobyte takes the SDK's parser 10 ms
_BYTES = 16
# What `Circuit.from_ir` passes over without a word, and pragmas of which we do not know that it reads them.
_UNREAD = re.compile(
    r"\b(reset|delay|cal|defcal|defcalgrammar|extern|output|duration|stretch|durationof)\b"
    r"|pragma(?!\s+braket\s+(result|noise|verbatim|unitary)\b)"
    r"|(?<!verbatim)\s*\n\s*box\b|[;{}]\s*box\b"
)


@dataclass(slots=True)
class Sent:
    """One circuit as it was sent: a copy, a text, or neither. The writer's thread makes `facts` of it and lets it go.

    `observables` are those that a program set measures after the circuit, `analog` makes the text of an analog program.
    """

    copy: CircuitCopy | None = None
    observables: Any = None
    source: str | None = None
    analog: Callable[[], str] | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    executions: int = 1
    is_sampled: bool = True
    facts: CircuitFacts | None = None


def copy_program(program: Any, shots: int | None, inputs: Mapping[str, Any] | None) -> list[Sent]:
    """Return what `program` holds, one entry a circuit; empty where we know nothing of such a program."""
    bound = dict(inputs or {})
    if isinstance(program, BraketCircuit):
        return [Sent(copy=copy_circuit(program, shots), inputs=bound)]
    if isinstance(program, OpenQasmProgram):
        return [Sent(source=program.source, inputs={**(program.inputs or {}), **bound}, is_sampled=shots != 0)]
    if isinstance(program, (ProgramSet, OpenQasmProgramSet)):
        return [_entry(each) for each in (program.entries if isinstance(program, ProgramSet) else program.programs)]
    if isinstance(program, AnalogHamiltonianSimulation):
        return [Sent(analog=lambda: program.to_ir().json())]
    if isinstance(program, AhsProgram):
        return [Sent(analog=program.json)]
    return []


def executions_of(sent: list[Sent]) -> int | None:
    """Return how many circuit executions were sent, None where that is unknown."""
    return sum(each.executions for each in sent) or None


def _entry(entry: Any) -> Sent:
    if isinstance(entry, BraketCircuit):
        return Sent(copy=copy_circuit(entry, None))
    if isinstance(entry, CircuitBinding):
        executions = (len(entry.input_sets) if entry.input_sets else 1) * (len(entry.observables or ()) or 1)
        if isinstance(entry.circuit, BraketCircuit):
            return Sent(copy=copy_circuit(entry.circuit, None), observables=entry.observables, executions=executions)
        return Sent(source=entry.circuit, executions=executions)
    if isinstance(entry, OpenQasmProgram):
        sizes = {len(values) for values in (entry.inputs or {}).values() if isinstance(values, list)}
        return Sent(source=entry.source, executions=max(sizes, default=1))
    return Sent(source=entry if isinstance(entry, str) else None)


class ProgramReader:
    """Reads programs and keeps what it read. For one thread: the writer's."""

    def __init__(self) -> None:
        self._circuits = CircuitReader()
        self._texts: OrderedDict[tuple[str, bool], CircuitFacts] = OrderedDict()

    def read(self, sent: Sent) -> CircuitFacts | None:
        """Return the facts of a circuit; None where nothing identifies it. Raises what a user's own gate raises."""
        if sent.facts is None:
            try:
                sent.facts = self._read(sent)
            finally:  # a task may be known for days, its circuit need not
                sent.copy = sent.observables = sent.source = sent.analog = None
        return sent.facts

    def _read(self, sent: Sent) -> CircuitFacts | None:
        if sent.copy is not None and sent.observables:
            # They are angles before the measurement, bound like parameters.
            turned = BraketCircuit(sent.copy.instructions()).with_euler_angles(sent.observables)
            return self._circuits.read(copy_circuit(turned, None))
        if sent.copy is not None:
            return self._circuits.read(sent.copy)
        if sent.analog is not None:
            return _by_text("ahs1", sent.analog())
        return None if sent.source is None else self._text(sent.source, is_sampled=sent.is_sampled)

    def _text(self, source: str, *, is_sampled: bool) -> CircuitFacts:
        known = self._texts.get((source, is_sampled))
        if known is None:
            known = self._texts[source, is_sampled] = _read_text(source, is_sampled=is_sampled)
            if len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
        return known


def _read_text(source: str, *, is_sampled: bool) -> CircuitFacts:
    if len(source) <= _MAX_SOURCE and _UNREAD.search(source) is None:
        try:
            facts = CircuitReader().read(copy_circuit(BraketCircuit.from_ir(source), None if is_sampled else 0))
            return replace(facts, is_physical=facts.is_physical or "$" in source)
        except Exception:  # noqa: BLE001, S110 - what the SDK cannot read is known by its text; this counts nothing lost
            pass
    return _by_text("openqasm1", source)


def _by_text(prefix: str, text: str) -> CircuitFacts:
    return CircuitFacts(Circuit(identity=f"{prefix}:{digest(text, _BYTES)}"))
