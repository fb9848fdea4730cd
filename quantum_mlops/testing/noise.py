"""The noise of a recorded calibration, restricted to the qubits that a job uses.

The physics is Aer's: the steps of `NoiseModel.from_backend_properties`, handed only the gates and readout
values of the qubits in use. Each channel is therefore the one of the whole device, and a 4-qubit job on 127
qubits costs milliseconds instead of a second. (Before qiskit-aer 0.17 that method takes IBM's own class only.)
"""

from collections.abc import Iterable
from math import inf

from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit_aer.noise import NoiseModel, RelaxationNoisePass
from qiskit_aer.noise.device import basic_device_gate_errors, basic_device_readout_errors

from .snapshot import Snapshot


class _PropertiesInUse:
    """The two lists of IBM's BackendProperties that Aer reads, cut to the qubits in use."""

    def __init__(self, snapshot: Snapshot, used: frozenset[int]) -> None:
        self.gates = [gate for gate in snapshot.gates if used.issuperset(gate.qubits)]
        self.qubits = [values if qubit in used else [] for qubit, values in enumerate(snapshot.qubits)]


def build_noise_model(snapshot: Snapshot, qubits: Iterable[int]) -> NoiseModel:
    """Return the noise on these qubits: depolarising and thermal relaxation per gate, readout per qubit.

    Delays (in seconds) relax too. Blocks for some milliseconds a qubit.
    """
    properties = _PropertiesInUse(snapshot, frozenset(qubits))
    model = NoiseModel(basis_gates=sorted({gate.gate for gate in snapshot.gates}))
    for measured, error in basic_device_readout_errors(properties):
        model.add_readout_error(error, measured)
    for name, acted, error in basic_device_gate_errors(properties):
        model.add_quantum_error(error, name, acted)
    model._custom_noise_passes.append(_delay_noise(snapshot))  # noqa: SLF001 (Aer has no public way to add a pass)
    return model


def qubits_in_use(circuits: Iterable[QuantumCircuit]) -> frozenset[int]:
    """Return the indices of the qubits that anything but a barrier touches in any of the circuits."""
    used: set[int] = set()
    for circuit in circuits:
        index = {qubit: position for position, qubit in enumerate(circuit.qubits)}
        for instruction in circuit.data:
            if instruction.name != "barrier":
                used.update(index[qubit] for qubit in instruction.qubits)
    return frozenset(used)


def _delay_noise(snapshot: Snapshot) -> RelaxationNoisePass:
    t1s = [_or_infinite(snapshot.t1_seconds(qubit)) for qubit in range(snapshot.num_qubits)]
    t2s = [_or_infinite(snapshot.t2_seconds(qubit)) for qubit in range(snapshot.num_qubits)]
    physical = [min(t2, 2 * t1) for t1, t2 in zip(t1s, t2s, strict=True)]
    return RelaxationNoisePass(t1s=t1s, t2s=physical, op_types=Delay)


def _or_infinite(value: float | None) -> float:
    return inf if value is None else value
