"""PennyLane's gates by Qiskit's names, where both mean the same unitary up to a global phase.

Qubits stand in the order of the operator's wires. Classes are looked up by themselves, not by name: a user's own
operator that is called RX is none.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pennylane as qml

from quantum_mlops.circuits import Number

Value = Number | str
Gate = tuple[str, list[Value], tuple[int, ...]]
"""Name, parameters, qubits."""

_NAMES: dict[str, str] = {
    "Identity": "id",
    "PauliX": "x",
    "PauliY": "y",
    "PauliZ": "z",
    "Hadamard": "h",
    "S": "s",
    "T": "t",
    "SX": "sx",
    "RX": "rx",
    "RY": "ry",
    "RZ": "rz",
    "PhaseShift": "p",
    "U1": "u1",
    "U2": "u2",
    "U3": "u3",
    "CNOT": "cx",
    "CY": "cy",
    "CZ": "cz",
    "CH": "ch",
    "SWAP": "swap",
    "ISWAP": "iswap",
    "ECR": "ecr",
    "CRX": "crx",
    "CRY": "cry",
    "CRZ": "crz",
    "ControlledPhaseShift": "cp",
    "IsingXX": "rxx",
    "IsingYY": "ryy",
    "IsingZZ": "rzz",
    "Toffoli": "ccx",
    "CCZ": "ccz",
    "CSWAP": "cswap",
}

NAMES: dict[type, str] = {getattr(qml, name): neutral for name, neutral in _NAMES.items() if hasattr(qml, name)}
"""The neutral name of each class whose parameters and wires are the gate's own."""

CONTROLLED: dict[tuple[str, int], str] = {
    ("x", 1): "cx",
    ("x", 2): "ccx",
    ("y", 1): "cy",
    ("z", 1): "cz",
    ("z", 2): "ccz",
    ("h", 1): "ch",
    ("s", 1): "cs",
    ("sdg", 1): "csdg",
    ("sx", 1): "csx",
    ("swap", 1): "cswap",
    ("rx", 1): "crx",
    ("ry", 1): "cry",
    ("rz", 1): "crz",
    ("p", 1): "cp",
    ("u1", 1): "cu1",
    ("u3", 1): "cu3",
}
"""The name of a gate with so many controls, all of them on 1; any other is `ctrl` of the gate."""

SELF_INVERSE = frozenset({"id", "x", "y", "z", "h", "cx", "cy", "cz", "ch", "swap", "ecr", "ccx", "ccz", "cswap"})
INVERSES: dict[str, str] = {
    "s": "sdg",
    "sdg": "s",
    "t": "tdg",
    "tdg": "t",
    "sx": "sxdg",
    "sxdg": "sx",
    "cs": "csdg",
    "csdg": "cs",
}
ANGLES = frozenset(
    {"rx", "ry", "rz", "p", "u1", "crx", "cry", "crz", "cp", "cu1", "rxx", "ryy", "rzz"},
)
"""Gates exp(i angle G) of one angle: inverse and power act on the angle."""

PAULI_ROTATIONS: dict[str, str] = {"X": "rx", "Y": "ry", "Z": "rz", "XX": "rxx", "YY": "ryy", "ZZ": "rzz"}

MIDDLE_NAMES = frozenset({"MidMeasure", "MidMeasureMP"})  # the class moved between versions


def is_middle(operation: Any) -> bool:
    """Tell whether an operation measures in the middle of a circuit."""
    return type(operation).__name__ in MIDDLE_NAMES


def middle_key(measurement: Any) -> Any:
    """Return what the copies of one measurement in the middle have in common."""
    return getattr(measurement, "meas_uid", None) or measurement.id


def inverted(gate: Gate) -> Gate | None:
    """Return the inverse of a gate; None where it has no name.

    >>> inverted(("rx", [0.5], (0,))), inverted(("iswap", [], (0, 1)))
    (('rx', [-0.5], (0,)), None)
    """
    name, given, qubits = gate
    if name in SELF_INVERSE:
        return gate
    if name in INVERSES:
        return INVERSES[name], given, qubits
    if name == "ctrl":
        base = inverted((str(given[2]), given[3:], qubits))
        return None if base is None else (name, [*given[:2], base[0], *base[1]], qubits)
    angles = [value for value in given if isinstance(value, (int, float))]
    if len(angles) == len(given) and name in ANGLES:
        return name, [-angles[0]], qubits
    if len(angles) == len(given) and name == "u3":
        return name, [-angles[0], -angles[2], -angles[1]], qubits
    return None


def under_control(gate: Gate, controls: tuple[int, ...], on: Sequence[bool]) -> Gate:
    """Return a gate with controls, each acting where its bit is as `on` says.

    >>> under_control(("x", [], (1,)), (0,), [True]), under_control(("x", [], (1,)), (0,), [False])
    (('cx', [], (0, 1)), ('ctrl', [1, 0, 'x'], (0, 1)))
    """
    name, given, qubits = gate
    simple = CONTROLLED.get((name, len(controls)))
    if simple is not None and all(on):
        return simple, given, (*controls, *qubits)
    state = sum(1 << place for place, value in enumerate(on) if value)
    return "ctrl", [len(controls), state, name, *given], (*controls, *qubits)


def flat(gates: Iterable[Gate]) -> list[Value]:
    """Return gates as one row of values, for the parameters of an operation around them."""
    return [value for name, given, qubits in gates for value in (name, *given, "q" + ".".join(map(str, qubits)))]
