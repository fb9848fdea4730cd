"""The instructions of a Braket circuit as plain operations: Qiskit's names where the gates are the same.

What has no counterpart in Qiskit keeps a name of its own, `braket.…`. Control modifiers become the controlled gate
that Qiskit would make of them, or `ctrl`; a unitary's qubits are told least significant first. Braket has no order of
binding, so a parameter's place is that of its name among all names, as it is in Qiskit.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from braket.circuits import FreeParameterExpression, Gate, Instruction, Noise
from braket.circuits.compiler_directive import CompilerDirective
from braket.circuits.measure import Measure

from qml_producers.observing.matrices import matrix_digest
from quantum_mlops.circuits import Number, Operation, expression, symbol
from quantum_mlops.codec import digest

Value = Number | str
Base = tuple[str, int, list[Value]]
"""A gate without its controls: its name, how many controls it has by itself, its parameters."""

_BASES: dict[str, tuple[str, int]] = {
    "H": ("h", 0), "I": ("id", 0), "X": ("x", 0), "Y": ("y", 0), "Z": ("z", 0),
    "S": ("s", 0), "Si": ("sdg", 0), "T": ("t", 0), "Ti": ("tdg", 0), "V": ("sx", 0), "Vi": ("sxdg", 0),
    "Rx": ("rx", 0), "Ry": ("ry", 0), "Rz": ("rz", 0), "PhaseShift": ("p", 0), "U": ("u", 0), "PRx": ("r", 0),
    "GPhase": ("global_phase", 0), "Swap": ("swap", 0), "ISwap": ("iswap", 0), "ECR": ("ecr", 0),
    "XX": ("rxx", 0), "YY": ("ryy", 0), "ZZ": ("rzz", 0),
    "CNot": ("x", 1), "CY": ("y", 1), "CZ": ("z", 1), "CV": ("sx", 1), "CPhaseShift": ("p", 1),
    "CSwap": ("swap", 1), "CCNot": ("x", 2),
}  # fmt: skip
_CONTROLLED: dict[tuple[str, int], str] = {
    ("x", 1): "cx", ("x", 2): "ccx", ("y", 1): "cy", ("z", 1): "cz", ("z", 2): "ccz", ("h", 1): "ch",
    ("s", 1): "cs", ("sdg", 1): "csdg", ("sx", 1): "csx", ("swap", 1): "cswap", ("p", 1): "cp",
    ("rx", 1): "crx", ("ry", 1): "cry", ("rz", 1): "crz", ("u", 1): "cu",
}  # fmt: skip
_NO_POWER = (1, 1.0)
VERBATIM = frozenset({"braket.startverbatimbox", "braket.endverbatimbox"})


class OperationReader:
    """Reads the instructions of one circuit, whose parameters have known places. Pure."""

    def __init__(self, parameters: Iterable[str], qubits: Sequence[int]) -> None:
        self._positions = {name: index for index, name in enumerate(sorted(parameters))}
        self._qubits = tuple(qubits)
        self._texts: dict[Any, Value] = {}
        self.measured: list[int] = []

    def operations(self, instructions: Iterable[Instruction]) -> list[Operation]:
        """Return the operations in order. `measured` then names the qubit of each classical bit.

        Raises:
            ValueError: an operator can be neither named nor described by its matrix.

        """
        return [operation for each in instructions if (operation := self._operation(each)) is not None]

    def _operation(self, instruction: Instruction) -> Operation | None:
        operator = instruction.operator
        qubits = tuple([int(qubit) for qubit in instruction.target])
        if isinstance(operator, Gate):
            return self._gate(instruction, operator, qubits)
        if isinstance(operator, Measure):
            self.measured += qubits
            return Operation("measure", (), qubits, (len(self.measured) - 1,))
        if isinstance(operator, CompilerDirective):
            if operator.name == "Barrier":
                return Operation("barrier", (), qubits)
            return Operation(_own(operator), (), qubits or self._qubits)  # nothing moves across the walls of a box
        if isinstance(operator, Noise):
            return Operation(_own(operator), self._noise(operator), qubits)
        raise ValueError(f"an operator of type {type(operator).__name__}")

    def _gate(self, instruction: Instruction, gate: Gate, targets: tuple[int, ...]) -> Operation | None:
        name, own_controls, parameters = self._base(gate)
        if instruction.power not in _NO_POWER:
            # The power is that of the whole gate, its own controls included.
            name, parameters, own_controls = "braket.power", [float(instruction.power), gate.name, *parameters], 0
        elif name == "unitary":
            targets = targets[::-1]
        controls = [int(qubit) for qubit in instruction.control]
        if not controls and not own_controls:
            return Operation(name, parameters, targets) if targets else None  # a global phase of the whole circuit
        states = [*instruction.control_state, *[1] * own_controls]
        number = len(states)
        state = sum(int(value) << index for index, value in enumerate(states))
        short = _CONTROLLED.get((name, number)) if state == 2**number - 1 else None
        if short == "cu":
            parameters = [*parameters, 0.0]
        qubits = (*controls, *targets)
        return (
            Operation("ctrl", [number, state, name, *parameters], qubits)
            if short is None
            else Operation(short, parameters, qubits)
        )

    def _base(self, gate: Gate) -> Base:
        known = _BASES.get(gate.name) if type(gate).__module__ == "braket.circuits.gates" else None
        if known is not None:
            return (*known, [self._value(value) for value in getattr(gate, "parameters", None) or ()])
        pulses = getattr(gate, "pulse_sequence", None)
        if pulses is not None:
            return _own(gate), 0, [digest(pulses.to_ir())]
        if type(gate).__module__ != "braket.circuits.gates" or gate.name == "Unitary":
            # Also a gate of the user's own: what it does, whatever its name.
            return "unitary", 0, [matrix_digest(np.asarray(gate.to_matrix()))]
        return _own(gate), 0, [self._value(value) for value in getattr(gate, "parameters", None) or ()]

    def _noise(self, noise: Noise) -> list[Value]:
        parameters = getattr(noise, "parameters", None)
        if parameters is None:
            return [matrix_digest(np.asarray(matrix)) for matrix in noise.to_matrix()]
        names: list[Value] = list(getattr(noise, "probabilities", None) or ())  # of Paulis, where it has any
        return [*names, *[self._value(value) for value in parameters]]

    def _value(self, value: Any) -> Value:
        if isinstance(value, FreeParameterExpression):
            text = self._texts.get(value.expression)
            if text is None:
                text = self._texts[value.expression] = self._symbolic(value)
            return text
        if isinstance(value, (float, int, complex, str)):
            return value
        return float(value)

    def _symbolic(self, value: FreeParameterExpression) -> Value:
        position = self._positions.get(str(value.expression))  # of a bare parameter
        if position is not None:
            return symbol(position)
        free = {str(each): each for each in value.expression.free_symbols}
        if not free:
            return float(value.expression)
        names = sorted(free, key=self._positions.__getitem__)

        def evaluate(values: Sequence[float]) -> Number:
            return _number(value.expression.subs({free[name]: at for name, at in zip(names, values, strict=True)}))

        return expression([self._positions[name] for name in names], evaluate)


def values_of(parameters: Iterable[str], inputs: Mapping[str, Any]) -> list[float] | None:
    """Return the values bound by name, in the order of the parameters' places; None where one is missing."""
    names = sorted(parameters)
    if not names or not all(name in inputs for name in names):
        return None
    return [float(inputs[name]) for name in names]


def _own(operator: Any) -> str:
    return f"braket.{operator.name.lower()}"


def _number(value: Any) -> Number:
    found = complex(value)
    return found if found.imag else found.real
