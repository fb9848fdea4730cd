"""Exact outcome distribution of a noisy circuit, to compare samples with and to draw many runs from."""

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

_MAX_QUBITS = 10  # a density matrix of 10 qubits takes 16 MiB


def exact_probabilities(
    simulator: AerSimulator, circuit: QuantumCircuit, noise_model: NoiseModel
) -> NDArray[np.float64]:
    """Return the probability of each outcome: 2**clbits values, classical bit 0 the lowest bit of the index.

    Density-matrix evolution, then each measured qubit's readout error as a stochastic matrix.

    Raises:
        ValueError: a bit is not measured exactly once at the end, or more than 10 bits are measured.
    """
    measured, gates = _split(circuit)
    gates.save_probabilities(measured, label="outcome")
    result = simulator.run(gates, shots=1, method="density_matrix", noise_model=noise_model).result()
    table = np.asarray(result.data(0)["outcome"], dtype=np.float64).reshape([2] * len(measured))
    readout = dict(noise_model._local_readout_errors)  # noqa: SLF001 (Aer has no public reader of a single readout error)
    for bit, qubit in enumerate(measured):
        error = readout.get((qubit,))
        if error is not None:
            axis = len(measured) - 1 - bit
            assignment = np.asarray(error.probabilities)  # [prepared, read]
            table = np.moveaxis(np.tensordot(assignment, table, axes=([0], [axis])), 0, axis)
    total = table.sum()  # 1 to about 1e-8: Aer rounds
    return np.asarray(table.reshape(-1) / total, dtype=np.float64)


def _split(circuit: QuantumCircuit) -> tuple[list[int], QuantumCircuit]:
    """The qubit behind each classical bit, and the circuit without its final measurements."""
    gates = circuit.copy_empty_like()
    qubit_of: dict[int, int] = {}
    finished: set[int] = set()
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.name == "measure":
            clbit = circuit.find_bit(instruction.clbits[0]).index
            if clbit in qubit_of or qubits[0] in finished:
                raise ValueError(
                    f"bit {clbit} or qubit {qubits[0]} is measured twice; only final measurements are exact"
                )
            qubit_of[clbit] = qubits[0]
            finished.add(qubits[0])
        elif instruction.name != "barrier":
            if instruction.clbits or finished.intersection(qubits):
                raise ValueError(f"{instruction.name} after a measurement; only final measurements are exact")
            gates.append(instruction)
    if sorted(qubit_of) != list(range(circuit.num_clbits)) or not qubit_of:
        raise ValueError("every classical bit must be measured once")
    if len(qubit_of) > _MAX_QUBITS:
        raise ValueError(f"{len(qubit_of)} bits; the exact distribution is limited to {_MAX_QUBITS}")
    return [qubit_of[clbit] for clbit in range(circuit.num_clbits)], gates
