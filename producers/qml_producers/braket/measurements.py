"""What a task measured, from Braket's results to the structs of events.

Braket writes the first measured qubit leftmost; in events it is bit 0, the rightmost, as in Qiskit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from braket.tasks import GateModelQuantumTaskResult, ProgramSetQuantumTaskResult

from qml_producers.braket.circuits import CircuitFacts
from qml_producers.braket.exact import Expected, copy_expected
from qml_producers.braket.operations import values_of
from qml_producers.observing.outcomes import Rows, pack
from quantum_mlops.circuits import parameters_digest
from quantum_mlops.events import Outcomes, Register

Part = dict[str, Any]  # the fields of one event

MAX_PARTS = 256  # events of one job
_MAX_PLAIN = 256 * 1024  # bits that are queued as bytes
_EXPECTED_BYTES = 128
_REGISTER = "b"  # as Braket's own OpenQASM calls it


@dataclass(slots=True)
class Measured:
    """The shots of one execution, a row each; `qubits` are those of the columns.

    A byte holds one bit of few shots, copied in a microsecond, or eight of many, packed.
    `program` is its place among the programs sent, `inputs` the values bound, where they are not those of the program.
    """

    bits: Rows
    is_packed: bool
    qubits: tuple[int, ...]
    program: int = 0
    part: int = 0
    inputs: dict[str, float] | None = None

    def rows(self) -> Rows:
        """Return one row of bytes a shot, big-endian: bit i is that of the i-th qubit."""
        return self.bits if self.is_packed else pack_rows(self.bits)


@dataclass(slots=True)
class CapturedResult:
    """What is taken of a result in the caller's thread."""

    measured: list[Measured] = field(default_factory=list)
    shots: int | None = None
    expected: list[Expected] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """What this keeps alive."""
        return sum(each.bits.nbytes for each in self.measured) + _EXPECTED_BYTES * len(self.expected)


def copy_result(result: Any) -> CapturedResult:
    """Return copies of what was measured; nothing of results that are no shots of qubits."""
    if isinstance(result, GateModelQuantumTaskResult):
        found = _measured(result)
        shots = result.task_metadata.shots
        return CapturedResult([] if found is None else [found], shots, [] if shots else copy_expected(result))
    if isinstance(result, ProgramSetQuantumTaskResult):
        return CapturedResult(list(_of_program_set(result)))
    return CapturedResult()


def parts_of(measured: Measured, facts: CircuitFacts, inputs: Any) -> Part:
    """Return the fields of one event of measured shots."""
    rows, qubits = measured.rows(), measured.qubits
    if qubits != facts.measured and sorted(qubits) == sorted(facts.measured):
        rows = _ordered(rows, qubits, facts.measured)
    bits = len(qubits)
    packed = pack(rows, bits)
    values = values_of(facts.parameters, inputs if measured.inputs is None else measured.inputs)
    return {
        "registers": [Register(name=_REGISTER, bits=bits)],
        "shots": len(rows),
        "parameters": None if values is None else parameters_digest(values),
        "outcomes" if isinstance(packed, Outcomes) else "statistics": packed,
    }


def pack_rows(measurements: Any) -> Rows:
    """Return measurements (shots, qubits) of 0 and 1 as bytes, the first column in the lowest bit.

    >>> pack_rows(np.array([[1, 0, 0], [0, 0, 1]])).tolist()
    [[1], [4]]
    """
    columns = np.asarray(measurements, np.uint8)
    shots, bits = columns.shape
    # Filled up to whole bytes: packing row by row takes three times as long.
    padded = np.zeros((shots, -(-bits // 8) * 8), np.uint8)
    padded[:, :bits] = columns
    little = np.packbits(padded.ravel(), bitorder="little").reshape(shots, padded.shape[1] // 8)
    return np.ascontiguousarray(little[:, ::-1])


def _measured(result: Any, program: int = 0, part: int = 0) -> Measured | None:
    measurements = result.measurements
    if measurements is None or not len(measurements):
        return None
    qubits = tuple([int(qubit) for qubit in result.measured_qubits or range(measurements.shape[1])])
    if measurements.size > _MAX_PLAIN:
        return Measured(pack_rows(measurements), is_packed=True, qubits=qubits, program=program, part=part)
    plain = measurements.astype(np.uint8)
    return Measured(plain, is_packed=False, qubits=qubits, program=program, part=part)


def _of_program_set(result: ProgramSetQuantumTaskResult) -> Iterator[Measured]:
    """Yield what each executable measured; those that failed measured nothing."""
    left = MAX_PARTS
    for program, composite in enumerate(result.entries):
        for part, entry in enumerate(composite.entries):
            measurements = getattr(entry, "measurements", None)
            found = None if measurements is None else _measured(entry, program, part)
            if found is None or not left:
                continue
            left -= 1
            found.inputs = dict(entry.inputs or {})
            yield found


def _ordered(rows: Rows, qubits: Sequence[int], wanted: Sequence[int]) -> Rows:
    """The rows with their bits in the order of the qubits `wanted`."""
    columns = np.unpackbits(rows[:, ::-1], axis=1, bitorder="little")
    places = {qubit: place for place, qubit in enumerate(qubits)}
    return pack_rows(columns[:, [places[qubit] for qubit in wanted]])
