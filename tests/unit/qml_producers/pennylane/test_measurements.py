"""What tapes measured: outcomes in Qiskit's order of bits, expectation values with errors where those are known."""

import numpy as np
import pennylane as qml
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qml_producers.observing.expectations import observables_label
from qml_producers.pennylane.captures import capture_result, capture_tapes
from qml_producers.pennylane.circuits import read_tape
from qml_producers.pennylane.measurements import measured_parts
from quantum_mlops.circuits import parameters_digest

FLIPPED = [qml.X(0), qml.H(2)]  # wire 0 is 1, wire 1 is 0, wire 2 is either


def parts_of(operations, measurements, shots=None, wires=3):
    tape = qml.tape.QuantumScript(operations, measurements, shots=shots)
    device = qml.device("default.qubit", wires=wires, seed=4)
    (tape,), _ = device.preprocess_transforms()([tape])
    (captured,) = capture_tapes([tape])
    result = device.execute(tape)
    parts = list(measured_parts(captured, read_tape(captured, range(wires)), capture_result(captured, result)))
    return result, parts


def by_key(part):
    outcomes = part["outcomes"]
    width = (outcomes.bits + 7) // 8
    keys = [int.from_bytes(outcomes.keys[i : i + width], "big") for i in range(0, len(outcomes.keys), width)]
    return dict(zip(keys, outcomes.counts, strict=True))


@pytest.mark.parametrize("measure", [qml.counts, qml.sample, qml.probs, lambda: qml.counts(all_outcomes=True)])
def test_the_first_wire_is_bit_0_however_the_shots_are_asked_for(measure):
    _, (part,) = parts_of(FLIPPED, [measure()], shots=500)
    counts = by_key(part)
    assert set(counts) == {0b001, 0b101}
    assert sum(counts.values()) == part["shots"] == 500


@pytest.mark.parametrize("measure", [qml.counts, qml.sample, qml.probs])
def test_bits_come_in_the_order_in_which_wires_are_asked_for(measure):
    _, (part,) = parts_of(FLIPPED, [measure(wires=[1, 0])], shots=100)
    assert by_key(part) == {0b10: 100}
    assert part["registers"][0].bits == 2


def test_one_wire_and_ten_wires_are_read_as_well():
    _, (one,) = parts_of(FLIPPED, [qml.sample(wires=0)], shots=20)
    assert by_key(one) == {1: 20}
    flips = [qml.X(wire) for wire in (0, 9)]
    for measure in (qml.sample, qml.counts, qml.probs):
        _, (ten,) = parts_of(flips, [measure()], shots=20, wires=10)
        assert by_key(ten) == {(1 << 9) + 1: 20}


def test_outcomes_too_many_for_an_event_become_statistics():
    everywhere = [qml.H(wire) for wire in range(18)]
    _, (part,) = parts_of(everywhere, [qml.counts()], shots=20_000, wires=18)
    assert part["statistics"].bits == 18
    assert sum(part["statistics"].top.counts) + part["statistics"].rest == 20_000


def test_each_copy_of_a_shot_vector_and_each_readout_is_an_event():
    _, parts = parts_of(FLIPPED, [qml.counts(), qml.sample(wires=[0])], shots=[100, 50])
    assert [part["shots"] for part in parts] == [100, 100, 50, 50]


def test_each_element_of_a_sweep_is_an_event_with_the_digest_of_its_values():
    angles = np.array([0.0, np.pi, 0.0])
    _, parts = parts_of([qml.RX(angles, 0)], [qml.counts(wires=[0]), qml.expval(qml.Z(0))], shots=40)
    assert [by_key(part) for part in parts[:3]] == [{0: 40}, {1: 40}, {0: 40}]
    assert [part["expectation"].values for part in parts[3:]] == [[1.0], [-1.0], [1.0]]
    digests = [parameters_digest([angle]) for angle in angles]
    assert [part["parameters"] for part in parts] == digests * 2


def test_expectation_values_carry_the_label_that_qiskits_observables_have():
    observables = [qml.Z(0) @ qml.X(2), qml.Hamiltonian([0.5, 2.0], [qml.Z(1), qml.X(0) @ qml.Y(2)])]
    result, (part,) = parts_of(FLIPPED, [qml.expval(each) for each in observables])
    theirs = [SparsePauliOp("XIZ"), SparsePauliOp(["IZI", "YIX"], [0.5, 2.0])]
    label = observables_label([{word: weight.real for word, weight in each.to_list()} for each in theirs])
    assert part["expectation"].observables == label
    assert part["expectation"].values == pytest.approx([float(value) for value in result])
    assert part["expectation"].standard_errors is None
    assert part["shots"] == 0


def test_standard_errors_are_told_of_pauli_words_and_of_nothing_else():
    _, (word,) = parts_of(FLIPPED, [qml.expval(3 * qml.Z(0) @ qml.Z(2))], shots=400)
    (value,), (error,) = word["expectation"].values, word["expectation"].standard_errors
    assert error == pytest.approx(np.sqrt((9 - value**2) / 400))
    _, (total,) = parts_of(FLIPPED, [qml.expval(qml.Z(0) + qml.X(2))], shots=400)
    assert total["expectation"].standard_errors is None
    _, (matrix,) = parts_of(FLIPPED, [qml.expval(qml.Hermitian(np.diag([1.0, 3.0]), 0))], shots=400)
    assert matrix["expectation"].values == [3.0]
    assert matrix["expectation"].standard_errors is None


def test_states_variances_and_eigenvalues_are_not_told_as_shots():
    assert parts_of(FLIPPED, [qml.state()])[1] == []
    assert parts_of(FLIPPED, [qml.probs()])[1] == []
    assert parts_of(FLIPPED, [qml.var(qml.Z(0)), qml.sample(qml.Z(0)), qml.counts(qml.X(2))], shots=10)[1] == []


def test_measured_circuits_are_those_of_qiskit_and_observables_that_are_sampled_tell_circuits_apart():
    def identity(*measurements):
        (captured,) = capture_tapes([qml.tape.QuantumScript(FLIPPED, list(measurements), shots=10)])
        return read_tape(captured, range(3)).circuit.identity

    from qml_producers.qiskit.circuits import read_circuit

    circuit = QuantumCircuit(3, 2)
    circuit.x(0)
    circuit.h(2)
    circuit.measure([2, 0], [0, 1])
    assert identity(qml.counts(wires=[2, 0])) == read_circuit(circuit).circuit.identity
    found = [
        identity(qml.counts(wires=[0, 2])),
        identity(qml.counts()),
        identity(qml.expval(qml.Z(0))),
        identity(qml.sample(qml.Z(0))),
        identity(qml.sample(qml.X(0))),
    ]
    assert len(set(found)) == 5
    assert identity(qml.expval(qml.Z(0)), qml.expval(qml.X(1))) == found[2]
