from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.transpiler import generate_preset_pass_manager

from quantum_mlops.testing import RecordedDevice

Canary = Callable[..., QuantumCircuit]
Channels = Callable[..., dict[object, object]]


@cache
def _isa(backend: str, date: str, line: tuple[int, ...]) -> QuantumCircuit:
    circuit = real_amplitudes(len(line), reps=3)
    circuit.measure_all()
    device = RecordedDevice.load(backend, date)
    manager = generate_preset_pass_manager(
        optimization_level=1, backend=device, initial_layout=list(line), seed_transpiler=1
    )
    return manager.run(circuit)


@pytest.fixture(scope="session")
def canary() -> Canary:
    """Build a bound `real_amplitudes(4, reps=3)` on a line of physical qubits."""

    def build(backend: str, date: str, line: tuple[int, ...], seed: int = 4) -> QuantumCircuit:
        isa = _isa(backend, date, line)
        return isa.assign_parameters(np.random.default_rng(seed).uniform(-np.pi, np.pi, isa.num_parameters))

    return build


@pytest.fixture(scope="session")
def channels() -> Channels:
    """Write down every error of a noise model on the qubits asked for, exactly and comparable by `==`."""

    def write(model, qubits=range(1000)):
        used = set(qubits)
        errors = {
            (name, wires): [
                (
                    probability,
                    [(step.name, [np.asarray(p).tobytes() for p in step.operation.params]) for step in circuit],
                )
                for probability, circuit in zip(error.probabilities, error.circuits, strict=True)
            ]
            for name, by_wires in model._local_quantum_errors.items()
            for wires, error in by_wires.items()
            if used.issuperset(wires)
        }
        readout = {
            ("measure", wires): error.probabilities.tolist()
            for wires, error in model._local_readout_errors.items()
            if used.issuperset(wires)
        }
        return errors | readout

    return write
