"""One circuit, written in Braket and in Qiskit: one identity; and what differs, differs."""

import numpy as np
import pytest
from braket.circuits import Circuit, FreeParameter, Gate, Instruction, Noise, Observable
from braket.circuits.moments import MomentsKey, MomentType
from braket.registers import QubitSet
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, library

from qml_producers.braket.circuits import CircuitCopy, copy_circuit, read_circuit
from qml_producers.braket.operations import values_of
from qml_producers.qiskit.circuits import read_circuit as read_qiskit

KEY = MomentsKey(0, QubitSet(), MomentType.GATE, 0)
ANGLES = (0.3, -1.1, 2.7)

# Braket's gate, Qiskit's, how many angles. Every gate of Braket that Qiskit has, too.
SAME = {
    "H": (library.HGate, 0),
    "I": (library.IGate, 0),
    "X": (library.XGate, 0),
    "Y": (library.YGate, 0),
    "Z": (library.ZGate, 0),
    "S": (library.SGate, 0),
    "Si": (library.SdgGate, 0),
    "T": (library.TGate, 0),
    "Ti": (library.TdgGate, 0),
    "V": (library.SXGate, 0),
    "Vi": (library.SXdgGate, 0),
    "Rx": (library.RXGate, 1),
    "Ry": (library.RYGate, 1),
    "Rz": (library.RZGate, 1),
    "PhaseShift": (library.PhaseGate, 1),
    "U": (library.UGate, 3),
    "PRx": (library.RGate, 2),
    "CNot": (library.CXGate, 0),
    "CY": (library.CYGate, 0),
    "CZ": (library.CZGate, 0),
    "CV": (library.CSXGate, 0),
    "CPhaseShift": (library.CPhaseGate, 1),
    "Swap": (library.SwapGate, 0),
    "ISwap": (library.iSwapGate, 0),
    "ECR": (library.ECRGate, 0),
    "XX": (library.RXXGate, 1),
    "YY": (library.RYYGate, 1),
    "ZZ": (library.RZZGate, 1),
    "CCNot": (library.CCXGate, 0),
    "CSwap": (library.CSwapGate, 0),
}
OWN = {
    "PSwap": 1,
    "XY": 1,
    "CPhaseShift00": 1,
    "CPhaseShift01": 1,
    "CPhaseShift10": 1,
    "GPi": 1,
    "GPi2": 1,
    "MS": 3,
}


def braket_facts(circuit, shots=100):
    return read_circuit(copy_circuit(circuit, shots))


def qiskit_facts(circuit, *, measured=True):
    if measured:
        circuit = circuit.copy()
        circuit.measure_all()
    return read_qiskit(circuit)


def braket_gate(name, angles):
    return getattr(Gate, name)(*ANGLES[:angles])


def reversed_matrix(matrix):
    """The matrix with the qubits' order reversed."""
    n = int(np.log2(len(matrix)))
    axes = [*reversed(range(n)), *[n + each for each in reversed(range(n))]]
    return matrix.reshape((2,) * 2 * n).transpose(axes).reshape(matrix.shape)


@pytest.mark.parametrize("name", SAME)
def test_a_gate_that_both_have_is_one_gate(name):
    kind, angles = SAME[name]
    ours, theirs = braket_gate(name, angles), kind(*ANGLES[:angles])
    n = ours.qubit_count
    # That they are the same gate at all, up to a phase: Qiskit counts qubits from the right.
    product = reversed_matrix(ours.to_matrix()) @ np.asarray(theirs).conj().T
    assert np.allclose(product, product[0, 0] * np.eye(2**n))
    qubits = [2, 0, 1][:n]
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.append(theirs, qubits)
    mine = braket_facts(Circuit().h(range(3)).add_instruction(Instruction(ours, qubits)))
    assert mine.circuit.identity == qiskit_facts(circuit).circuit.identity
    assert mine.circuit.gate_counts | {"barrier": 1} == qiskit_facts(circuit).circuit.gate_counts  # of measure_all
    assert (mine.circuit.depth, mine.circuit.two_qubit_gates) == (3, int(n == 2))


def test_every_gate_of_the_sdk_is_in_the_tables():
    names = {name for name in vars(Gate) if isinstance(vars(Gate)[name], type)}
    assert names - {"Unitary", "PulseGate", "GPhase"} == set(SAME) | set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_a_gate_that_qiskit_lacks_has_a_name_of_its_own(name):
    gate = braket_gate(name, OWN[name])
    facts = braket_facts(Circuit().add_instruction(Instruction(gate, range(gate.qubit_count))))
    assert f"braket.{name.lower()}" in facts.circuit.gate_counts


CONTROLLED = {
    "cx": (Gate.X(), library.XGate().control(1, annotated=False)),
    "ccx": (Gate.X(), library.XGate().control(2, annotated=False)),
    "mcx": (Gate.X(), library.XGate().control(3, annotated=False)),
    "cnot": (Gate.CNot(), library.CXGate().control(1, annotated=False)),
    "cch": (Gate.H(), library.HGate().control(2, annotated=False)),
    "ch": (Gate.H(), library.HGate().control(1, annotated=False)),
    "cy": (Gate.Y(), library.YGate().control(1, annotated=False)),
    "ccz": (Gate.Z(), library.ZGate().control(2, annotated=False)),
    "cs": (Gate.S(), library.SGate().control(1, annotated=False)),
    "csdg": (Gate.Si(), library.SdgGate().control(1, annotated=False)),
    "ct": (Gate.T(), library.TGate().control(1, annotated=False)),
    "csx": (Gate.V(), library.SXGate().control(1, annotated=False)),
    "crx": (Gate.Rx(0.3), library.RXGate(0.3).control(1, annotated=False)),
    "cry": (Gate.Ry(0.3), library.RYGate(0.3).control(1, annotated=False)),
    "crz": (Gate.Rz(0.3), library.RZGate(0.3).control(1, annotated=False)),
    "cp": (Gate.PhaseShift(0.3), library.PhaseGate(0.3).control(1, annotated=False)),
    "ccp": (Gate.PhaseShift(0.3), library.PhaseGate(0.3).control(2, annotated=False)),
    "cu": (Gate.U(*ANGLES), library.UGate(*ANGLES).control(1, annotated=False)),
    "cswap": (Gate.Swap(), library.SwapGate().control(1, annotated=False)),
    "ciswap": (Gate.ISwap(), library.iSwapGate().control(1, annotated=False)),
    "crzz": (Gate.ZZ(0.3), library.RZZGate(0.3).control(1, annotated=False)),
}


@pytest.mark.parametrize("name", CONTROLLED)
def test_a_control_modifier_is_the_controlled_gate(name):
    ours, theirs = CONTROLLED[name]
    n = theirs.num_qubits
    controls = n - ours.qubit_count
    circuit = QuantumCircuit(n)
    circuit.append(theirs, range(n))
    instruction = Instruction(ours, range(controls, n), control=range(controls))
    assert (
        braket_facts(Circuit().add_instruction(instruction)).circuit.identity == qiskit_facts(circuit).circuit.identity
    )


@pytest.mark.parametrize("state", ["00", "01", "10", "11"])
def test_controls_on_zero_are_those_of_qiskit(state):
    circuit = QuantumCircuit(3)
    circuit.append(library.HGate().control(2, ctrl_state=state[::-1], annotated=False), [0, 1, 2])
    ours = Circuit().h(2, control=[0, 1], control_state=state)
    assert braket_facts(ours).circuit.identity == qiskit_facts(circuit).circuit.identity


def test_powers_and_controls_differ_from_the_bare_gate():
    circuits = [
        Circuit().x(1).i(0),
        Circuit().x(1, power=0.5).i(0),
        Circuit().x(1, power=-1).i(0),
        Circuit().x(1, control=0),
        Circuit().x(1, control=0, control_state=[0]),
        Circuit().x(1, control=0, power=0.5),
        Circuit().cnot(0, 1, power=0.5),
    ]
    assert len({braket_facts(circuit).circuit.identity for circuit in circuits}) == len(circuits)


def test_a_unitary_is_qiskits_on_the_qubits_in_reverse():
    matrix = np.linalg.qr(np.random.default_rng(5).normal(size=(4, 4)) + 1j)[0]
    circuit = QuantumCircuit(2)
    circuit.append(library.UnitaryGate(matrix), [1, 0])
    ours = Circuit().unitary(matrix=matrix, targets=[0, 1])
    assert braket_facts(ours).circuit.identity == qiskit_facts(circuit).circuit.identity


def test_the_order_on_disjoint_wires_does_not_matter():
    assert (
        braket_facts(Circuit().h(0).x(1).cnot(0, 1)).circuit.identity
        == braket_facts(Circuit().x(1).h(0).cnot(0, 1)).circuit.identity
        != braket_facts(Circuit().x(1).h(0).cnot(1, 0)).circuit.identity
    )


def test_free_parameters_and_expressions_are_those_of_qiskit():
    a, b = FreeParameter("a"), FreeParameter("c")
    ours = Circuit().rx(0, b).ry(1, a).rz(0, 2 * a + 1).rx(1, a * b).rz(1, -a)
    p, q = Parameter("a"), Parameter("c")
    circuit = QuantumCircuit(2)
    circuit.rx(q, 0)
    circuit.ry(p, 1)
    circuit.rz(2 * p + 1, 0)
    circuit.rx(p * q, 1)
    circuit.rz(-p, 1)
    facts = braket_facts(ours)
    assert facts.circuit.identity == qiskit_facts(circuit).circuit.identity
    assert values_of(facts.parameters, {"c": 2, "a": 1.5}) == [1.5, 2.0]
    assert values_of(facts.parameters, {"c": 2}) is None


def test_a_global_phase_does_not_matter():
    assert braket_facts(Circuit().h(0).gphase(0.4)).circuit.identity == braket_facts(Circuit().h(0)).circuit.identity


def test_a_barrier_is_not_part_of_the_identity():
    assert (
        braket_facts(Circuit().h(0).barrier().x(0)).circuit.identity
        == braket_facts(Circuit().h(0).x(0)).circuit.identity
    )


def test_noise_is_told_with_its_parameters():
    circuits = [
        Circuit().h(0),
        Circuit().h(0).bit_flip(0, 0.1),
        Circuit().h(0).bit_flip(0, 0.2),
        Circuit().h(0).phase_flip(0, 0.1),
        Circuit().h(0).depolarizing(0, 0.1),
        Circuit().h(0).pauli_channel(0, 0.1, 0.1, 0.2),
        Circuit().h(0).generalized_amplitude_damping(0, 0.1, 0.2),
        Circuit().h(0).kraus([0], [np.eye(2)]),
        Circuit().h(0).kraus([0], [np.diag([1, -1])]),
        Circuit().h(0).i(1).two_qubit_pauli_channel(0, 1, {"XX": 0.1}),
        Circuit().h(0).i(1).two_qubit_pauli_channel(0, 1, {"YX": 0.1}),
    ]
    identities = {braket_facts(circuit).circuit.identity for circuit in circuits}
    assert len(identities) == len(circuits)
    noise = Circuit().h(0)
    noise.apply_gate_noise(Noise.Depolarizing(0.1))
    assert braket_facts(noise).circuit.identity == braket_facts(circuits[4]).circuit.identity


def test_instructions_are_in_the_order_in_which_the_sdk_sends_them():
    circuit = Circuit().h(0).cnot(0, 1)
    circuit.apply_readout_noise(Noise.BitFlip(0.1))
    circuit.apply_initialization_noise(Noise.BitFlip(0.2))
    circuit.apply_gate_noise(Noise.Depolarizing(0.1))
    circuit.x(1)
    copied = copy_circuit(circuit, 10).instructions()
    assert copy_circuit(circuit, 10).moments == list(circuit.moments.items())
    assert copied == circuit.instructions
    assert copy_circuit(circuit, 10).instructions() == copied  # the SDK has sorted it meanwhile
    assert [each.operator.name for each in copied][:2] == ["BitFlip", "BitFlip"]


def test_a_verbatim_box_is_another_circuit_on_physical_qubits():
    inner = Circuit().prx(3, 0.1, 0.2).cz(3, 4)
    boxed, free = braket_facts(Circuit().add_verbatim_box(inner)), braket_facts(inner)
    assert boxed.circuit.identity != free.circuit.identity
    assert (boxed.is_physical, free.is_physical) == (True, False)
    assert (boxed.qubits, boxed.edges) == ([3, 4], [(3, 4)])
    assert (boxed.circuit.depth, boxed.circuit.gate_counts) == (free.circuit.depth, free.circuit.gate_counts)


def test_measured_qubits_are_bits_in_their_order():
    circuit = QuantumCircuit(3, 2)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.measure([2, 0], [0, 1])
    ours = braket_facts(Circuit().h(0).cnot(0, 2).measure([2, 0]))
    assert ours.circuit.identity == qiskit_facts(circuit, measured=False).circuit.identity
    assert ours.measured == (2, 0)


def test_qubits_that_are_not_used_are_not_measured():
    circuit = QuantumCircuit(6, 2)
    circuit.h(2)
    circuit.cx(2, 5)
    circuit.measure([2, 5], [0, 1])
    ours = braket_facts(Circuit().h(2).cnot(2, 5))
    assert ours.circuit.identity == qiskit_facts(circuit, measured=False).circuit.identity
    assert ours.circuit.width == 2


def test_without_shots_nothing_is_measured():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    ours = braket_facts(Circuit().h(0).cnot(0, 1).state_vector(), shots=0)
    assert ours.circuit.identity == qiskit_facts(circuit, measured=False).circuit.identity


def test_an_observable_is_the_rotation_before_measuring():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.h(0)
    ours = braket_facts(Circuit().h(0).cnot(0, 1).expectation(Observable.X(), 0))
    assert ours.circuit.identity == qiskit_facts(circuit).circuit.identity


class Twice(Gate):
    """A gate of a user's own."""

    def __init__(self, angle):
        super().__init__(qubit_count=1, ascii_symbols=["Twice"])
        self.angle = angle

    def to_matrix(self):
        return Gate.Rx(2 * self.angle).to_matrix()


def test_a_gate_of_the_users_own_is_what_it_does():
    identities = [
        braket_facts(Circuit().add_instruction(Instruction(gate, 0))).circuit.identity
        for gate in (Twice(0.1), Twice(0.2), Gate.Unitary(Gate.Rx(0.2).to_matrix()))
    ]
    assert identities[0] == identities[2] != identities[1]


def random_circuit(rng, n, length):
    circuit = Circuit()
    for name, qubits, angles in random_gates(rng, n, length):
        circuit.add_instruction(Instruction(getattr(Gate, name)(*angles), qubits))
    return circuit


def random_gates(rng, n, length):
    names = sorted(SAME)
    found = [("H", [qubit], []) for qubit in range(n)]
    for _ in range(length):
        name = names[rng.integers(len(names))]
        wires = braket_gate(name, SAME[name][1]).qubit_count
        found.append((name, rng.permutation(n)[:wires].tolist(), rng.uniform(-3, 3, SAME[name][1]).tolist()))
    return found


def test_random_circuits_have_one_identity_in_both():
    rng = np.random.default_rng(11)
    for _ in range(100):
        gates = random_gates(rng, 4, 20)
        ours, theirs = Circuit(), QuantumCircuit(4)
        for name, qubits, angles in gates:
            ours.add_instruction(Instruction(getattr(Gate, name)(*angles), qubits))
            theirs.append(SAME[name][0](*angles), qubits)
        assert braket_facts(ours).circuit.identity == qiskit_facts(theirs).circuit.identity


def edited(rng, gates):
    """Change one gate: another one, other qubits, another angle, one less, one more."""
    n, at = 4, int(rng.integers(4, len(gates)))
    name, qubits, angles = gates[at]
    kind = rng.integers(5)
    if kind == 0 and angles:
        changed = [(name, qubits, [angles[0] + 1e-9 * (1 + rng.random()), *angles[1:]])]
    elif kind == 1 and len(qubits) > 1 and name in {"CNot", "ECR", "CY", "CV"}:
        changed = [(name, qubits[::-1], angles)]
    elif kind == 2:
        changed = []
    elif kind == 3:
        changed = [gates[at], ("T", [int(rng.integers(n))], [])]
    else:
        others = [each for each in SAME if each != name]
        other = others[rng.integers(len(others))]
        wires = braket_gate(other, SAME[other][1]).qubit_count
        changed = [(other, rng.permutation(n)[:wires].tolist(), rng.uniform(-3, 3, SAME[other][1]).tolist())]
    return [*gates[:at], *changed, *gates[at + 1 :]]


def test_ten_thousand_edits_of_one_gate_all_differ():
    rng = np.random.default_rng(2026)
    made = {}

    def identity_of(gates):
        instructions = [
            made.setdefault((name, *qubits, *angles), Instruction(getattr(Gate, name)(*angles), qubits))
            for name, qubits, angles in gates
        ]
        # Making a Circuit of them takes twice the time of reading it.
        copied = CircuitCopy([(KEY, instruction) for instruction in instructions], [], (), (), is_sampled=True)
        return read_circuit(copied).circuit.identity

    gates = random_gates(rng, 4, 8)
    instructions = [Instruction(getattr(Gate, name)(*angles), qubits) for name, qubits, angles in gates]
    assert identity_of(gates) == braket_facts(Circuit(instructions)).circuit.identity
    for _ in range(100):
        gates = random_gates(rng, 4, 8)
        before = identity_of(gates)
        assert before not in {identity_of(edited(rng, gates)) for _ in range(100)}
