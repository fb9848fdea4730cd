"""IonQ's circuit documents, run for real: gates to Qiskit's, probabilities by state vector, keys as IonQ's.

A key is the decimal number of the outcome over all qubits, qubit 0 in the lowest bit.
"""

import cmath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import (
    HGate,
    PauliEvolutionGate,
    PhaseGate,
    RXGate,
    RXXGate,
    RYGate,
    RYYGate,
    RZGate,
    RZZGate,
    SdgGate,
    SGate,
    SwapGate,
    SXdgGate,
    SXGate,
    TdgGate,
    TGate,
    UnitaryGate,
    XGate,
    YGate,
    ZGate,
)
from qiskit.quantum_info import SparsePauliOp, Statevector

FIXED = {
    "x": XGate, "not": XGate, "cnot": XGate, "y": YGate, "z": ZGate, "h": HGate, "s": SGate, "si": SdgGate, "t": TGate, "ti": TdgGate,
    "v": SXGate, "vi": SXdgGate, "swap": SwapGate,
}  # fmt: skip
ROTATIONS = {
    "rx": RXGate, "ry": RYGate, "rz": RZGate, "z": PhaseGate, "xx": RXXGate, "yy": RYYGate, "zz": RZZGate,
}  # fmt: skip
TURN = 2 * cmath.pi


class UnsupportedCircuitError(ValueError):
    """The document names something that IonQ's circuits do not have."""


def circuit_of(gates: Sequence[Mapping[str, Any]], qubits: int) -> QuantumCircuit:
    """Return the circuit of a list of IonQ's gates, of the gate sets "qis" and "native"."""
    circuit = QuantumCircuit(qubits)
    for gate in gates:
        targets = list(gate.get("targets") or [gate["target"]])
        controls = list(gate.get("controls") or ([gate["control"]] if "control" in gate else []))
        base = _gate(gate, targets)
        circuit.append(base.control(len(controls)) if controls else base, [*controls, *targets])
    return circuit


def probabilities_of(gates: Sequence[Mapping[str, Any]], qubits: int, error: float = 0.0) -> dict[str, float]:
    """Return each outcome's probability; `error` is the depolarising error of every gate on two qubits or more."""
    circuit = circuit_of(gates, qubits)
    found = Statevector(circuit).probabilities()
    kept = (1 - error) ** sum(1 for gate in circuit.data if len(gate.qubits) > 1)
    found = kept * found + (1 - kept) / len(found)
    return {str(key): float(p) for key, p in enumerate(found) if p > 1e-12}


def sample(probabilities: Mapping[str, float], shots: int, rng: np.random.Generator) -> list[int]:
    """Return one outcome a shot."""
    weights = np.array(list(probabilities.values()))
    keys = [int(key) for key in probabilities]
    return [keys[i] for i in rng.choice(len(keys), shots, p=weights / weights.sum())]


def frequencies(outcomes: Sequence[int]) -> dict[str, float]:
    """Return the share of each outcome."""
    keys, counts = np.unique(outcomes, return_counts=True)
    return {str(key): int(count) / len(outcomes) for key, count in zip(keys, counts, strict=True)}


def _gate(gate: Mapping[str, Any], targets: Sequence[int]) -> Gate:
    name, angle = gate["gate"], gate.get("rotation")
    if name == "pauliexp":
        terms = SparsePauliOp.from_list(list(zip(gate["terms"], gate["coefficients"], strict=True)))
        return PauliEvolutionGate(terms, gate["time"])
    if angle is not None and name in ROTATIONS:
        return ROTATIONS[name](angle)
    if name in {"gpi", "gpi2", "ms"} or (name == "zz" and "angle" in gate):
        return UnitaryGate(_native(gate))
    if name not in FIXED:
        raise UnsupportedCircuitError(f"{name} on {targets}")
    return FIXED[name]()


def _native(gate: Mapping[str, Any]) -> Any:
    if gate["gate"] == "zz":
        return RZZGate(TURN * gate["angle"]).to_matrix()
    if gate["gate"] == "ms":
        first, second = (TURN * phase for phase in gate["phases"])
        half = TURN * gate["angle"] / 2
        off = [cmath.exp(-1j * (first + second)), cmath.exp(-1j * (first - second))]
        found = np.eye(4, dtype=complex) * cmath.cos(half)
        for (row, column), phase in zip(((0, 3), (1, 2)), off, strict=True):
            found[row, column] = -1j * cmath.sin(half) * phase
            found[column, row] = -1j * cmath.sin(half) * phase.conjugate()
        return found
    phase = cmath.exp(1j * TURN * gate["phase"])
    if gate["gate"] == "gpi":
        return np.array([[0, phase.conjugate()], [phase, 0]])
    return np.array([[1, -1j * phase.conjugate()], [-1j * phase, 1]]) / 2**0.5
