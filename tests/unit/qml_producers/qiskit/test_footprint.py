from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qml_producers.qiskit.circuits import read_circuit
from qml_producers.qiskit.footprint import union
from quantum_mlops.testing import RecordedDevice


def ghz(n):
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def transpiled(circuit, layout, level=1):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    return generate_preset_pass_manager(level, backend=device, initial_layout=layout, seed_transpiler=1).run(circuit)


def test_physical_qubits_are_in_the_order_of_the_users_circuit():
    facts = read_circuit(transpiled(ghz(4), [19, 22, 25, 24]))
    assert facts.qubits == [19, 22, 25, 24]
    assert facts.edges == [(19, 22), (22, 25), (24, 25)]
    assert facts.circuit.width == 4
    assert facts.circuit.two_qubit_gates == 3


def test_qubits_that_only_routing_uses_come_last():
    circuit = QuantumCircuit(2, 2)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    facts = read_circuit(transpiled(circuit, [0, 2]))  # 1 lies between
    assert facts.qubits == [0, 2, 1]
    assert facts.edges == [(0, 1), (1, 2)]


def test_idle_qubits_and_barriers_are_no_use():
    circuit = QuantumCircuit(5, 1)
    circuit.barrier()
    circuit.x(3)
    circuit.measure(3, 0)
    facts = read_circuit(circuit)
    assert (facts.qubits, facts.edges, facts.circuit.width, facts.circuit.depth) == ([3], [], 1, 2)


def test_the_description_is_that_of_qiskit():
    circuit = ghz(4)
    facts = read_circuit(circuit).circuit
    assert facts.depth == circuit.depth()
    assert facts.gate_counts == dict(circuit.count_ops())
    assert facts.name == circuit.name


def test_a_job_uses_what_any_of_its_circuits_uses():
    assert union([([3, 1], [(1, 3)]), ([2, 1], [(1, 2)])]) == ([3, 1, 2], [(1, 2), (1, 3)])
