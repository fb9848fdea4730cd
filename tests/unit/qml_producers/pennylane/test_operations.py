"""Tapes as plain operations: the circuits that Qiskit would call the same have one identity, all others differ."""

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript
from qiskit import QuantumCircuit
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator

from qml_producers.pennylane.captures import capture_tapes
from qml_producers.pennylane.circuits import read_tape
from qml_producers.qiskit.circuits import read_circuit

# PennyLane's operator, Qiskit's gate, the qubits that both act on.
STANDARD = [
    (qml.Identity, lib.IGate(), 0, 1),
    (qml.X, lib.XGate(), 0, 1),
    (qml.Y, lib.YGate(), 0, 1),
    (qml.Z, lib.ZGate(), 0, 1),
    (qml.H, lib.HGate(), 0, 1),
    (qml.S, lib.SGate(), 0, 1),
    (qml.T, lib.TGate(), 0, 1),
    (qml.SX, lib.SXGate(), 0, 1),
    (qml.RX, lib.RXGate, 1, 1),
    (qml.RY, lib.RYGate, 1, 1),
    (qml.RZ, lib.RZGate, 1, 1),
    (qml.PhaseShift, lib.PhaseGate, 1, 1),
    (qml.U1, lib.U1Gate, 1, 1),
    (qml.U2, lib.U2Gate, 2, 1),
    (qml.U3, lib.U3Gate, 3, 1),
    (qml.CNOT, lib.CXGate(), 0, 2),
    (qml.CY, lib.CYGate(), 0, 2),
    (qml.CZ, lib.CZGate(), 0, 2),
    (qml.CH, lib.CHGate(), 0, 2),
    (qml.SWAP, lib.SwapGate(), 0, 2),
    (qml.ISWAP, lib.iSwapGate(), 0, 2),
    (qml.ECR, lib.ECRGate(), 0, 2),
    (qml.CRX, lib.CRXGate, 1, 2),
    (qml.CRY, lib.CRYGate, 1, 2),
    (qml.CRZ, lib.CRZGate, 1, 2),
    (qml.ControlledPhaseShift, lib.CPhaseGate, 1, 2),
    (qml.IsingXX, lib.RXXGate, 1, 2),
    (qml.IsingYY, lib.RYYGate, 1, 2),
    (qml.IsingZZ, lib.RZZGate, 1, 2),
    (qml.Toffoli, lib.CCXGate(), 0, 3),
    (qml.CCZ, lib.CCZGate(), 0, 3),
    (qml.CSWAP, lib.CSwapGate(), 0, 3),
]


def tape_of(*operations, measurements=(), shots=None):
    return QuantumScript(list(operations), list(measurements), shots=shots)


def facts_of(tape, wires=4):
    (captured,) = capture_tapes([tape])
    return read_tape(captured, None if wires is None else range(wires))


def identity_of(*operations, measurements=(), wires=4):
    return facts_of(tape_of(*operations, measurements=measurements), wires).circuit.identity


def qiskit_identity(build, qubits=4):
    circuit = QuantumCircuit(qubits)
    build(circuit)
    return read_circuit(circuit).circuit.identity


@pytest.mark.parametrize(
    ("operator", "gate", "angles", "width"), STANDARD, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_standard_gate_is_the_gate_of_that_name_in_qiskit(operator, gate, angles, width):
    values = [0.3, 0.7, -1.1][:angles]
    wires = [2, 0, 3][:width]
    theirs = gate(*values) if angles else gate
    ours = operator(*values, wires=wires)
    assert identity_of(ours) == qiskit_identity(lambda circuit: circuit.append(theirs, wires))
    # And it is the same unitary: PennyLane's first wire is the highest bit, Qiskit's first qubit the lowest.
    assert np.allclose(qml.matrix(operator(*values, wires=range(width))), Operator(theirs).reverse_qargs().data)


WRAPPED = {
    "adjoint(S)": (lambda: qml.adjoint(qml.S(1)), lambda c: c.sdg(1)),
    "adjoint(T)": (lambda: qml.adjoint(qml.T(1)), lambda c: c.tdg(1)),
    "adjoint(SX)": (lambda: qml.adjoint(qml.SX(1)), lambda c: c.sxdg(1)),
    "adjoint(adjoint(S))": (lambda: qml.adjoint(qml.adjoint(qml.S(1), lazy=True), lazy=True), lambda c: c.s(1)),
    "adjoint(RX)": (lambda: qml.adjoint(qml.RX(0.4, 1)), lambda c: c.rx(-0.4, 1)),
    "adjoint(U3)": (
        lambda: qml.adjoint(qml.U3(0.4, 0.5, 0.6, 1)),
        lambda c: c.append(lib.U3Gate(0.4, 0.5, 0.6).inverse(), [1]),
    ),
    "adjoint(CNOT)": (lambda: qml.adjoint(qml.CNOT([1, 2])), lambda c: c.cx(1, 2)),
    "adjoint(Rot)": (
        lambda: qml.adjoint(qml.Rot(0.1, 0.2, 0.3, 1)),
        lambda c: (c.rz(-0.3, 1), c.ry(-0.2, 1), c.rz(-0.1, 1)),
    ),
    "Rot": (lambda: qml.Rot(0.1, 0.2, 0.3, 1), lambda c: (c.rz(0.1, 1), c.ry(0.2, 1), c.rz(0.3, 1))),
    "pow(RZ)": (lambda: qml.pow(qml.RZ(0.4, 1), 3), lambda c: c.rz(0.4 * 3, 1)),
    "ctrl(S)": (lambda: qml.ctrl(qml.S(1), control=0), lambda c: c.cs(0, 1)),
    "ctrl(adjoint(S))": (lambda: qml.ctrl(qml.adjoint(qml.S(1)), control=0), lambda c: c.csdg(0, 1)),
    "ctrl(SX)": (lambda: qml.ctrl(qml.SX(1), control=0), lambda c: c.csx(0, 1)),
    "ctrl(CNOT)": (lambda: qml.ctrl(qml.CNOT([1, 2]), control=0), lambda c: c.ccx(0, 1, 2)),
    "ctrl(RX) twice": (
        lambda: qml.ctrl(qml.RX(0.3, 2), control=[0, 1]),
        lambda c: c.append(lib.RXGate(0.3).control(2, annotated=False), [0, 1, 2]),
    ),
    "ctrl on 0": (
        lambda: qml.ctrl(qml.X(2), control=[0, 1], control_values=[0, 1]),
        lambda c: c.append(lib.CCXGate(ctrl_state=0b10), [0, 1, 2]),
    ),
    "MultiControlledX": (lambda: qml.MultiControlledX([0, 1, 2, 3]), lambda c: c.mcx([0, 1, 2], 3)),
    "adjoint(MultiControlledX)": (
        lambda: qml.adjoint(qml.MultiControlledX([0, 1, 2, 3])),
        lambda c: c.mcx([0, 1, 2], 3),
    ),
    "PauliRot": (lambda: qml.PauliRot(0.3, "YY", [1, 2]), lambda c: c.ryy(0.3, 1, 2)),
    "MultiRZ": (lambda: qml.MultiRZ(0.3, [1, 2]), lambda c: c.rzz(0.3, 1, 2)),
    "QubitUnitary": (
        lambda: qml.QubitUnitary(qml.matrix(qml.CRX(0.3, [0, 1])), [0, 1]),
        lambda c: c.unitary(qml.matrix(qml.CRX(0.3, [0, 1])), [1, 0]),
    ),
    "DiagonalQubitUnitary": (
        lambda: qml.DiagonalQubitUnitary(np.exp(1j * np.arange(4)), [0, 1]),
        lambda c: c.append(lib.DiagonalGate(np.exp(1j * np.arange(4))), [1, 0]),
    ),
    "GlobalPhase": (lambda: qml.GlobalPhase(0.3), lambda c: None),
    "Barrier": (lambda: qml.Barrier([0, 1]), lambda c: c.barrier(0, 1)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_adjoints_powers_controls_and_matrices_are_what_qiskit_calls_them(name):
    ours, theirs = WRAPPED[name]
    assert identity_of(ours()) == qiskit_identity(theirs)


def random_pair(rng, gates=30):
    """The same random circuit in both SDKs."""
    operations, circuit = [], QuantumCircuit(4)
    for _ in range(gates):
        operator, gate, angles, width = STANDARD[rng.integers(1, len(STANDARD))]
        values = rng.uniform(-3, 3, angles).tolist()
        wires = rng.permutation(4)[:width].tolist()
        operations.append(operator(*values, wires=wires))
        circuit.append(gate(*values) if angles else gate, wires)
    return operations, circuit


def test_random_circuits_have_the_identity_that_qiskit_gives_them_measured_or_not():
    rng = np.random.default_rng(5)
    for _ in range(60):
        operations, circuit = random_pair(rng)
        assert identity_of(*operations) == read_circuit(circuit).circuit.identity
        circuit.measure_all()
        assert identity_of(*operations, measurements=[qml.counts()]) == read_circuit(circuit).circuit.identity


def test_what_has_no_counterpart_keeps_a_name_of_its_own_and_tells_its_settings_apart():
    def pauli(word):
        return [qml.PauliRot(0.3, word, [0, 1, 2])]

    different = [
        [qml.QFT([0, 1])],
        [qml.QFT([1, 0])],
        [qml.adjoint(qml.QFT([0, 1]))],
        [qml.ctrl(qml.QFT([0, 1]), control=2)],
        [qml.ctrl(qml.GlobalPhase(0.3), control=0)],
        [qml.ctrl(qml.GlobalPhase(0.4), control=0)],
        pauli("XYZ"),
        pauli("XYX"),
        [qml.pow(qml.X(0), 0.5, lazy=True)],
        [qml.pow(qml.X(0), 0.25, lazy=True)],
        [qml.exp(qml.X(0), 0.5j)],
        [qml.exp(qml.Y(0), 0.5j)],
        [qml.exp(qml.X(0) @ qml.Y(1), 0.5j)],
        [qml.IsingXY(0.3, [0, 1])],
        [qml.BasisState([0, 1], [0, 1])],
        [qml.BasisState([1, 0], [0, 1])],
        [qml.DepolarizingChannel(0.1, wires=0)],
        [qml.DepolarizingChannel(0.2, wires=0)],
    ]
    found = {identity_of(*operations) for operations in different}
    assert len(found) == len(different)
    names = facts_of(tape_of(qml.QFT([0, 1]))).circuit.gate_counts
    assert names == {"pennylane.QFT": 1}


def edit(rng, operations):
    """Another circuit by one change to one gate."""
    at = int(rng.integers(len(operations)))
    old = operations[at]
    if len(old.data) and rng.integers(2):
        data = [float(value) for value in old.data]
        data[rng.integers(len(data))] += float(rng.choice([-1, 1]) * rng.uniform(1e-6, 1))
        new = type(old)(*data, wires=old.wires)
    else:
        while True:
            operator, _, angles, width = STANDARD[rng.integers(1, len(STANDARD))]
            new = operator(*rng.uniform(-3, 3, angles).tolist(), wires=rng.permutation(4)[:width].tolist())
            if type(new) is not type(old) or new.wires != old.wires:
                break
    return [*operations[:at], new, *operations[at + 1 :]]


def test_ten_thousand_random_edits_of_one_gate_all_change_the_identity():
    rng = np.random.default_rng(11)
    edits = 0
    while edits < 10_000:
        operations, _ = random_pair(rng, gates=6)
        before = identity_of(*operations)
        for _ in range(500):
            assert identity_of(*edit(rng, operations)) != before
            edits += 1


def test_order_on_disjoint_wires_does_not_matter_and_on_shared_wires_does():
    first, second, third = qml.RX(0.1, 0), qml.RY(0.2, 1), qml.CNOT([0, 1])
    assert identity_of(first, second, third) == identity_of(second, first, third)
    assert identity_of(first, third) != identity_of(third, first)


def test_measurements_in_the_middle_are_those_of_qiskit_and_conditions_are_told_apart():
    def measured(condition, gate):
        with qml.queuing.AnnotatedQueue() as queue:
            qml.H(0)
            first = qml.measure(0, reset=True)
            second = qml.measure(1)
            qml.cond(condition(first, second), gate)(2)
        return identity_of(*QuantumScript.from_queue(queue).operations)

    with qml.queuing.AnnotatedQueue() as queue:
        qml.H(0)
        qml.measure(0, reset=True)
        qml.X(0)
    circuit = QuantumCircuit(4, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.x(0)
    assert identity_of(*QuantumScript.from_queue(queue).operations) == read_circuit(circuit).circuit.identity

    kinds = [
        (lambda a, b: a, qml.X),
        (lambda a, b: b, qml.X),
        (lambda a, b: a, qml.Y),
        (lambda a, b: a & b, qml.X),
        (lambda a, b: a | b, qml.X),
    ]
    assert len({measured(*kind) for kind in kinds}) == len(kinds)
    assert measured(*kinds[0]) == measured(*kinds[0])


def test_wires_are_read_in_the_order_of_the_device_whatever_their_labels():
    tape = tape_of(qml.RX(0.1, "b"), qml.CNOT(["a", "c"]))
    (captured,) = capture_tapes([tape])
    named = read_tape(captured, ("a", "b", "c")).circuit.identity
    assert named == identity_of(qml.RX(0.1, 1), qml.CNOT([0, 2]), wires=3)
    assert named == identity_of(qml.RX(0.1, 1), qml.CNOT([0, 2]), wires=None)
    assert named != read_tape(captured, ("b", "a", "c")).circuit.identity
    assert read_tape(captured, ("a", "b")).circuit.width == 3  # a wire that the device lacks comes last


def test_a_value_that_is_traced_or_swept_is_a_symbol():
    swept = facts_of(tape_of(qml.RX(np.array([0.1, 0.2]), 0))).circuit.identity
    assert swept == facts_of(tape_of(qml.RX(np.array([0.3, 0.4, 0.5]), 0))).circuit.identity
    assert swept != identity_of(qml.RX(0.1, 0))


def test_reading_a_tape_adds_nothing_to_the_circuit_that_somebody_records():
    tapes = [tape_of(make(), measurements=[qml.expval(qml.Z(0) @ qml.X(1))]) for make, _ in WRAPPED.values()]
    with qml.queuing.AnnotatedQueue() as queue:
        qml.X(0)
        for tape in tapes:
            facts_of(tape)
    assert [str(operation) for operation in queue.queue] == ["X(0)"]
