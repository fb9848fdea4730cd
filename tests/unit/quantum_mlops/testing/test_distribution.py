import numpy as np
import pytest
from qiskit import QuantumCircuit

from quantum_mlops.testing import RecordedDevice


def build(*steps):
    circuit = QuantumCircuit(4, 2)
    for name, *wires in steps:
        getattr(circuit, name)(*wires)
    return circuit


def test_readout_error_alone_gives_the_recorded_assignment_matrix():
    device = RecordedDevice.load("hanoi", "2021-12-09")
    recorded = {p.name: p.value for p in device.snapshot.qubits[3]}
    circuit = QuantumCircuit(27, 1)
    circuit.measure(3, 0)
    one = recorded["prob_meas1_prep0"]
    assert device.probabilities(circuit) == pytest.approx([1 - one, one], abs=1e-9)


def test_the_index_has_classical_bit_0_as_its_lowest_bit():
    device = RecordedDevice.load("hanoi", "2021-12-09")
    probabilities = device.probabilities(build(("x", 3), ("measure", 3, 0), ("measure", 1, 1)))
    assert int(np.argmax(probabilities)) == 0b01
    crossed = device.probabilities(build(("x", 3), ("measure", 3, 1), ("measure", 1, 0)))
    assert int(np.argmax(crossed)) == 0b10
    assert crossed == pytest.approx(probabilities.reshape(2, 2).T.reshape(-1), abs=1e-9)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([("measure", 0, 0)], "every classical bit must be measured once"),
        ([("measure", 0, 0), ("measure", 1, 0)], "measured twice"),
        ([("measure", 0, 0), ("measure", 0, 1)], "measured twice"),
        ([("measure", 0, 0), ("x", 0), ("measure", 1, 1)], "x after a measurement"),
    ],
)
def test_what_cannot_be_exact_is_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        RecordedDevice.load("hanoi", "2021-12-09").probabilities(build(*steps))


def test_too_many_bits_are_refused():
    circuit = QuantumCircuit(11)
    circuit.measure_all()
    with pytest.raises(ValueError, match="11 bits; the exact distribution is limited to 10"):
        RecordedDevice.load("hanoi", "2021-12-09").probabilities(circuit)
