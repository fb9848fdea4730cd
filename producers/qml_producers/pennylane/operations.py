"""A PennyLane tape as plain operations, by the same names and in the same order of qubits as Qiskit's.

Only attributes are read: an operator that is *made* here would join whatever circuit the user's thread is recording,
since PennyLane's queue belongs to the process. So nothing is decomposed, simplified or diagonalized; an operator that
corresponds to no gate of Qiskit's is named with the prefix `pennylane.` and goes by its parameters and settings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.ops import Adjoint, Controlled, Pow
from pennylane.ops.op_math import Conditional

from qml_producers.observing.matrices import matrix_digest
from qml_producers.pennylane.gates import (
    ANGLES,
    NAMES,
    PAULI_ROTATIONS,
    Gate,
    Value,
    flat,
    inverted,
    is_middle,
    middle_key,
    under_control,
)
from qml_producers.pennylane.settings import setting_text
from qml_producers.pennylane.tapes import labels_of
from qml_producers.pennylane.values import Plain
from quantum_mlops.circuits import Operation, symbol

_MOST_BRANCHES = 10  # bits of a condition that is told as a table


class TapeReader:
    """Reads the operations of one tape: `qubits` says the index of each wire, `values` holds all their parameters."""

    def __init__(self, qubits: Mapping[Any, int], values: Sequence[Plain]) -> None:
        self._qubits = qubits
        self._values = values
        self._symbols = 0
        self.bits: dict[Any, int] = {}
        """The bit of each measurement in the middle of the circuit."""
        self.swept: list[NDArray[Any]] = []
        """The parameters that have one value for each element of a sweep, in the order of their symbols."""

    def read(self, operations: Iterable[Any]) -> list[Operation]:
        """Return the operations in order. Raises KeyError for a wire outside the circuit."""
        found: list[Operation] = []
        at = 0
        for operation in operations:
            count = len(operation.data)
            values = self._values[at : at + count]
            at += count
            if is_middle(operation):
                found += self._middle(operation)
            elif isinstance(operation, Conditional):
                found.append(self._conditional(operation, values))
            else:
                found += [Operation(name, given, qubits, ()) for name, given, qubits in self.gates(operation, values)]
        return found

    def gates(self, operation: Any, values: Sequence[Plain]) -> list[Gate]:
        """Return one operator as gates; `values` are its parameters."""
        kind = type(operation)
        qubits = self.indices(labels_of(operation))
        name = NAMES.get(kind)
        if name is not None:
            if name == "id":
                return [(name, [], (qubit,)) for qubit in qubits]
            return [(name, self.parameters(operation, values), qubits)]
        read = _READERS.get(kind) or next((each for base, each in _FAMILIES if isinstance(operation, base)), None)
        found = None if read is None else read(self, operation, values, qubits)
        return [self._opaque(operation, values, qubits)] if found is None else found

    def indices(self, labels: Iterable[Any]) -> tuple[int, ...]:
        """Return the qubits of wires by their labels. Raises KeyError."""
        known = self._qubits
        return tuple([known[label] for label in labels])

    def parameters(self, operation: Any, values: Sequence[Plain]) -> list[Value]:
        """Return numbers as they are, matrices as digests, and what has no one value as a symbol."""
        if all(type(value) is float for value in values):
            return list(values)  # type: ignore[arg-type]
        dimensions = getattr(operation, "ndim_params", ())
        found: list[Value] = []
        for number, value in enumerate(values):
            if isinstance(value, np.ndarray) and number < len(dimensions) and value.ndim == dimensions[number]:
                found.append(matrix_digest(value))
            elif value is None or isinstance(value, np.ndarray):  # traced, or one value for each element of a sweep
                found.append(symbol(self._symbols))
                self._symbols += 1
                if value is not None:
                    self.swept.append(value)
            else:
                found.append(value)
        return found

    def text(self, value: Any) -> str:
        """Return a setting of an operator, or an observable, as text."""
        return setting_text(value, self._qubits, self._nested)

    def _nested(self, operator: Any) -> str:
        gates = self.gates(operator, [None] * len(operator.data))  # its values stand beside, as they were captured
        return "(" + ",".join(map(str, flat(gates))) + ")"

    def _opaque(self, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> Gate:
        settings = [f"{key}={self.text(value)}" for key, value in sorted(operation.hyperparameters.items())]
        return f"pennylane.{operation.name}", [*self.parameters(operation, values), *settings], qubits

    def _middle(self, operation: Any) -> list[Operation]:
        qubits = self.indices(labels_of(operation))
        bit = self.bits.setdefault(middle_key(operation), len(self.bits))
        found = [Operation("measure", (), qubits, (bit,))]
        if operation.postselect is not None:
            found.append(Operation("pennylane.postselect", [int(operation.postselect)], qubits, (bit,)))
        if operation.reset:
            found.append(Operation("reset", (), qubits, ()))
        return found

    def _conditional(self, operation: Any, values: Sequence[Plain]) -> Operation:
        condition = operation.meas_val
        bits = tuple([self.bits[middle_key(each)] for each in condition.measurements])
        table = "?"
        if len(bits) <= _MOST_BRANCHES:
            table = ",".join(f"{''.join(map(str, map(int, on)))}:{value}" for on, value in condition.branches.items())
        gates = self.gates(operation.base, values)
        return Operation("pennylane.if", [table, *flat(gates)], self.indices(labels_of(operation)), bits)


Read = Callable[[TapeReader, Any, Sequence[Plain], tuple[int, ...]], list[Gate] | None]
"""Reads one kind of operator; None where it corresponds to nothing of Qiskit's."""


def _rotation(reader: TapeReader, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate]:
    phi, theta, omega = reader.parameters(operation, values)
    return [("rz", [phi], qubits), ("ry", [theta], qubits), ("rz", [omega], qubits)]


def _unitary(reader: TapeReader, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate]:
    # Qiskit's matrices have the first qubit in the lowest place.
    return [("unitary", reader.parameters(operation, values), qubits[::-1])]


def _diagonal(_: TapeReader, __: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate] | None:
    (entries,) = values
    if not isinstance(entries, np.ndarray) or entries.ndim != 1:
        return None
    return [("diagonal", [complex(entry) for entry in entries.tolist()], qubits[::-1])]


def _pauli_rotation(
    reader: TapeReader, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]
) -> list[Gate] | None:
    word = operation.hyperparameters.get("pauli_word", "Z" * len(qubits))
    name = PAULI_ROTATIONS.get(word)
    return None if name is None else [(name, reader.parameters(operation, values), qubits)]


def _unseen(_: TapeReader, __: Any, ___: Sequence[Plain], ____: tuple[int, ...]) -> list[Gate]:
    return []


def _barrier(_: TapeReader, __: Any, ___: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate]:
    return [("barrier", [], qubits)]


def _inverse(reader: TapeReader, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate]:
    gates = reader.gates(operation.base, values)
    found = [gate for gate in map(inverted, reversed(gates)) if gate is not None]
    return found if len(found) == len(gates) else [("pennylane.adjoint", flat(gates), qubits)]


def _controlled(reader: TapeReader, operation: Any, values: Sequence[Plain], _: tuple[int, ...]) -> list[Gate] | None:
    controls = reader.indices(operation.control_wires.labels)
    on = [bool(value) for value in operation.control_values]
    gates = [under_control(gate, controls, on) for gate in reader.gates(operation.base, values)]
    return gates or None  # a phase is global no more under a control


def _power(reader: TapeReader, operation: Any, values: Sequence[Plain], qubits: tuple[int, ...]) -> list[Gate]:
    gates, z = reader.gates(operation.base, values), operation.z
    if len(gates) == 1:
        name, given, wires = gates[0]
        if name in ANGLES and isinstance(given[0], (int, float)) and isinstance(z, (int, float)):
            return [(name, [given[0] * z], wires)]
    return [("pennylane.pow", [reader.text(z), *flat(gates)], qubits)]


_READERS: dict[type, Read] = {
    qml.Rot: _rotation,
    qml.QubitUnitary: _unitary,
    qml.DiagonalQubitUnitary: _diagonal,
    qml.PauliRot: _pauli_rotation,
    qml.MultiRZ: _pauli_rotation,
    qml.Barrier: _barrier,
    qml.GlobalPhase: _unseen,
    qml.Snapshot: _unseen,
    qml.WireCut: _unseen,
}
_FAMILIES: tuple[tuple[type, Read], ...] = ((Adjoint, _inverse), (Controlled, _controlled), (Pow, _power))
