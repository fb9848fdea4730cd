"""A QuantumCircuit as plain operations, the same from every supported version of Qiskit.

Standard gates keep their name. A gate of the user's own is the circuit that defines it, whatever its name (Qiskit
numbers such names per process). Matrices are digests of their entries, expressions are texts that do not depend on
how a version prints them. Nothing here changes a circuit; it may be slow (µs per operation), so it runs outside the
caller's thread.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    CASE_DEFAULT,
    CircuitInstruction,
    ClassicalRegister,
    Clbit,
    ControlledGate,
    Instruction,
    ParameterExpression,
    Qubit,
)
from qiskit.circuit.library import get_standard_gate_name_mapping

from qml_producers.observing.matrices import matrix_digest
from quantum_mlops.circuits import Number, Operation, expression, identity, symbol

Value = Number | str
Positions = Mapping[Any, int]
Wire = TypeVar("Wire", Qubit, Clbit)

HAS_CONDITIONS = hasattr(CircuitInstruction, "condition")  # gone in Qiskit 2
_DIRECT = frozenset({"measure", "reset", "barrier"})
_STANDARD_GATES = frozenset(get_standard_gate_name_mapping()) - {"delay"}
STANDARD_NAMES = _STANDARD_GATES | _DIRECT
# Fully described by their parameters; everything else that is not standard goes by its definition.
_BY_PARAMETERS = frozenset({"unitary", "pauli", "initialize", "state_preparation", "diagonal", "permutation"})
_PER_SECOND = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


def operations_of(circuit: QuantumCircuit) -> list[Operation]:
    """Return the operations of a circuit, its unbound parameters by their position in `circuit.parameters`."""
    positions = {parameter: index for index, parameter in enumerate(circuit.parameters)}
    return _Reader(_indices(circuit.qubits), _indices(circuit.clbits), positions).operations(circuit)


def _identity(circuit: QuantumCircuit, positions: Positions) -> str:
    reader = _Reader(_indices(circuit.qubits), _indices(circuit.clbits), positions)
    return identity(reader.operations(circuit), circuit.num_qubits, circuit.num_clbits)


def _indices(wires: Sequence[Wire]) -> dict[Wire, int]:
    return {wire: index for index, wire in enumerate(wires)}


class _Reader:
    """Reads circuits whose wires and parameters have known places: the outermost one and blocks nested in it."""

    def __init__(self, qubits: Mapping[Qubit, int], bits: Mapping[Clbit, int], positions: Positions) -> None:
        self._positions = positions
        self._texts: dict[ParameterExpression, Value] = {}
        self._qubits = qubits
        self._bits = bits

    def operations(self, circuit: QuantumCircuit) -> list[Operation]:
        return [self._operation(instruction) for instruction in circuit.data]

    def _operation(self, instruction: CircuitInstruction) -> Operation:
        name = instruction.name
        qubits = tuple([self._qubits[qubit] for qubit in instruction.qubits])
        bits = tuple([self._bits[bit] for bit in instruction.clbits]) if instruction.clbits else ()
        if instruction.is_control_flow():
            # Versions order the wires differently, so the blocks are read on the wires of the circuit around them.
            return Operation(name, self._control_flow(instruction), tuple(sorted(qubits)), tuple(sorted(bits)))
        if instruction.is_standard_gate():
            parameters = [self._value(value) for value in instruction.params]
        elif name in _DIRECT:
            parameters = []
        else:
            name, parameters = self._special(instruction)
        condition = _legacy_condition(instruction)
        if condition is not None:  # Qiskit 1: c_if
            place, value = _condition_of(condition, self._bits)
            return Operation("if", [name, *parameters, value, len(qubits)], qubits, (*bits, *place))
        return Operation(name, parameters, qubits, bits)

    def _special(self, instruction: CircuitInstruction) -> tuple[str, list[Value]]:
        name, operation = instruction.name, instruction.operation
        if name == "delay":
            return name, self._delay(instruction.params[0], operation.unit)
        if isinstance(operation, ControlledGate):
            return "ctrl", [operation.num_ctrl_qubits, operation.ctrl_state, *self._gate(operation.base_gate)]
        return self._opaque(operation)

    def _gate(self, operation: Instruction) -> list[Value]:
        if operation.name in _STANDARD_GATES:
            return [operation.name, *[self._value(value) for value in operation.params]]
        name, parameters = self._opaque(operation)
        return [name, *parameters]

    def _opaque(self, operation: Instruction) -> tuple[str, list[Value]]:
        definition = None if operation.name in _BY_PARAMETERS else operation.definition
        if definition is not None:
            return "gate", [_identity(definition, self._positions)]
        return operation.name, [self._value(value) for value in operation.params]

    def _delay(self, duration: Any, unit: str) -> list[Value]:
        if unit in _PER_SECOND and not isinstance(duration, ParameterExpression):
            return [float(duration) * _PER_SECOND[unit], "s"]
        return [self._value(duration), unit]

    def _control_flow(self, instruction: CircuitInstruction) -> list[Value]:
        operation = instruction.operation
        positions = self._positions
        if operation.name == "for_loop" and operation.params[1] is not None:
            positions = {**positions, operation.params[1]: len(positions)}  # the loop's variable, by its nesting
        found: list[Value] = [self._block(block, instruction, positions) for block in operation.blocks]
        if operation.name in {"if_else", "while_loop"}:
            found.append(self._classical(operation.condition))
        elif operation.name == "switch_case":
            found.append(self._classical(operation.target))
            found += [",".join(map(_label, labels)) for labels, _ in operation.cases_specifier()]
        elif operation.name == "for_loop":
            indices = operation.params[0]
            found.append(repr(indices) if isinstance(indices, range) else ",".join(map(str, indices)))
        return found

    def _block(self, block: QuantumCircuit, instruction: CircuitInstruction, positions: Positions) -> str:
        qubits = {qubit: self._qubits[outer] for qubit, outer in zip(block.qubits, instruction.qubits, strict=True)}
        bits = {bit: self._bits[outer] for bit, outer in zip(block.clbits, instruction.clbits, strict=True)}
        reader = _Reader(qubits, bits, positions)
        return identity(
            reader.operations(block), max(qubits.values(), default=-1) + 1, max(bits.values(), default=-1) + 1
        )

    def _classical(self, node: Any) -> str:
        """A bit, a register, a (place, value) pair or a tree of `qiskit.circuit.classical.expr` as text."""
        if isinstance(node, Clbit):
            return f"b{self._bits[node]}"
        if isinstance(node, ClassicalRegister):
            return "b" + ".".join(str(self._bits[bit]) for bit in node)
        if isinstance(node, (int, float, str)):
            return str(int(node) if isinstance(node, bool) else node)
        if isinstance(node, tuple):
            return "==".join(self._classical(part) for part in node)
        parts = {
            name: getattr(node, name)
            for name in ("op", "value", "var", "operand", "left", "right", "target", "index")
            if getattr(node, name, None) is not None
        }
        if not parts:
            return str(getattr(node, "name", node))
        inner = ",".join(part.name if name == "op" else self._classical(part) for name, part in parts.items())
        cast = f":{node.type}" if type(node).__name__ == "Cast" else ""
        return f"{type(node).__name__}({inner}){cast}"

    def _value(self, value: Any) -> Value:
        if isinstance(value, float):
            return value
        if isinstance(value, ParameterExpression):
            text = self._texts.get(value)
            if text is None:
                text = self._texts[value] = self._symbolic(value)
            return text
        if isinstance(value, np.ndarray):
            return matrix_digest(value)
        if isinstance(value, np.generic):
            return self._value(value.item())
        return value if isinstance(value, (int, complex, str)) else str(value)

    def _symbolic(self, value: ParameterExpression) -> Value:
        position = self._positions.get(value)
        if position is not None:
            return symbol(position)
        if not value.parameters:
            number = complex(value)
            return number if number.imag else number.real
        parameters = sorted(value.parameters, key=self._positions.__getitem__)

        def evaluate(values: Sequence[float]) -> complex:
            return complex(value.bind(dict(zip(parameters, values, strict=True))))

        return expression([self._positions[parameter] for parameter in parameters], evaluate)


def _label(label: Any) -> str:
    return "default" if label is CASE_DEFAULT else str(int(label))


def _legacy_condition(instruction: CircuitInstruction) -> Any:
    if not HAS_CONDITIONS or instruction.is_control_flow():
        return None
    return getattr(instruction.operation, "_condition", None)


def _condition_of(condition: tuple[Any, int], bits: Mapping[Clbit, int]) -> tuple[tuple[int, ...], int]:
    place, value = condition
    wires = (bits[place],) if isinstance(place, Clbit) else tuple(bits[bit] for bit in place)
    return wires, int(value)
