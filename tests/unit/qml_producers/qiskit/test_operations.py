import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.classical import expr
from qiskit.circuit.library import XGate

from qml_producers.qiskit.operations import operations_of
from quantum_mlops.circuits import identity

GOLDEN = Path(__file__).parents[3] / "golden" / "circuit_identity.json"


def identity_of(circuit):
    return identity(operations_of(circuit), circuit.num_qubits, circuit.num_clbits)


def layers(angles, names=("q", "c")):
    circuit = QuantumCircuit(QuantumRegister(3, names[0]), ClassicalRegister(3, names[1]))
    for index, angle in enumerate(angles):
        circuit.ry(angle, index % 3)
        circuit.rz(2 * angle + np.pi, index % 3)
        circuit.cx(index % 3, (index + 1) % 3)
    circuit.barrier()
    circuit.measure(range(3), range(3))
    return circuit


def classical():
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.rz(0.25, 1)
    with circuit.while_loop((circuit.cregs[0], 3)):
        circuit.h(2)
        circuit.measure(2, 2)
    with circuit.for_loop(range(3)):
        circuit.sx(2)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0, 1):
            circuit.x(0)
        with case(case.DEFAULT):
            circuit.z(0)
    with circuit.if_test(expr.logic_and(circuit.clbits[0], expr.logic_not(circuit.clbits[1]))):
        circuit.h(1)
    return circuit


def library():
    circuit = QuantumCircuit(3, 1)
    circuit.unitary(np.array([[0, 1], [1, 0]]), [0])
    circuit.delay(10, 0, unit="us")
    circuit.delay(160, 1)
    circuit.initialize([1, 0], [2])
    circuit.append(XGate().control(2, ctrl_state=1), [0, 1, 2])
    circuit.mcp(0.3, [0, 1], 2)
    inner = QuantumCircuit(2)
    inner.h(0)
    inner.cp(0.5, 0, 1)
    circuit.append(inner.to_gate(), [1, 2])
    circuit.append(inner.to_gate().control(1), [0, 1, 2])
    circuit.reset(0)
    circuit.measure(2, 0)
    return circuit


CIRCUITS = {
    "numbers": lambda: layers([0.1, -1.5707963267948966, 3.0]),
    "parameters and expressions": lambda: layers(ParameterVector("θ", 4)),
    "control flow": classical,
    "gates of libraries and of the user": library,
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_identity_is_the_one_of_the_golden_file_in_every_version_of_qiskit(name):
    assert identity_of(CIRCUITS[name]()) == json.loads(GOLDEN.read_text())["qiskit"][name]


def test_names_of_registers_circuits_and_parameters_do_not_matter():
    left = layers(ParameterVector("θ", 4))
    right = layers(ParameterVector("phi", 4), names=("data", "out"))
    assert identity_of(left) == identity_of(right)


def test_parameters_count_by_their_order_of_binding():
    a, b = Parameter("a"), Parameter("b")
    assert identity_of(layers([a, b])) != identity_of(layers([b, a]))


def test_an_expression_counts_by_its_value_not_by_its_text():
    a = Parameter("a")
    circuits = [QuantumCircuit(1) for _ in range(4)]
    for circuit, angle in zip(circuits, (2 * a + 1, 1 + a + a, 2 * a + 1.001, 2 * (a + 0.5)), strict=True):
        circuit.rz(angle, 0)
    names = [identity_of(circuit) for circuit in circuits]
    assert names[0] == names[1] == names[3] != names[2]


def test_binding_changes_the_identity_and_a_bound_expression_is_a_number():
    a = Parameter("a")
    symbolic, bound, number = QuantumCircuit(1), QuantumCircuit(1), QuantumCircuit(1)
    symbolic.rz(2 * a, 0)
    bound = symbolic.assign_parameters({a: 0.25})
    number.rz(0.5, 0)
    assert identity_of(bound) == identity_of(number) != identity_of(symbolic)


def test_a_gate_of_the_user_is_its_definition_whatever_its_name():
    def wrapped(name, angle):
        inner = QuantumCircuit(2, name=name)
        inner.cx(0, 1)
        inner.rz(angle, 1)
        outer = QuantumCircuit(2)
        outer.append(inner.to_gate(), [0, 1])
        return outer

    assert identity_of(wrapped("one", 0.1)) == identity_of(wrapped("two", 0.1))
    assert identity_of(wrapped("one", 0.1)) != identity_of(wrapped("one", 0.2))


def test_a_gate_of_the_user_with_a_standard_name_is_not_the_standard_gate():
    inner = QuantumCircuit(1, name="h")
    inner.x(0)
    fake, real = QuantumCircuit(1), QuantumCircuit(1)
    fake.append(inner.to_gate(), [0])
    real.h(0)
    assert identity_of(fake) != identity_of(real)


def test_what_is_tested_and_what_is_done_inside_control_flow_matter():
    def guarded(bit, value, gate):
        circuit = QuantumCircuit(2, 2)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[bit], value)):
            getattr(circuit, gate)(1)
        return circuit

    names = {identity_of(guarded(*case)) for case in ((0, 1, "x"), (1, 1, "x"), (0, 0, "x"), (0, 1, "y"))}
    assert len(names) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda circuit: circuit.unitary(np.eye(2), [0]),
        lambda circuit: circuit.unitary(np.diag([1, -1]), [0]),
        lambda circuit: circuit.delay(10, 0, unit="ns"),
        lambda circuit: circuit.delay(10, 0, unit="us"),
        lambda circuit: circuit.delay(10, 0),
        lambda circuit: circuit.initialize([1, 0], [0]),
        lambda circuit: circuit.initialize([0, 1], [0]),
    ],
)
def test_matrices_states_and_units_matter(change):
    others = [
        lambda circuit: circuit.unitary(np.diag([1, 1j]), [0]),
        lambda circuit: circuit.delay(11, 0, unit="ns"),
        lambda circuit: circuit.initialize("+", [0]),
    ]
    base = QuantumCircuit(1)
    change(base)
    for other in others:
        circuit = QuantumCircuit(1)
        other(circuit)
        assert identity_of(base) != identity_of(circuit)


def test_a_delay_is_the_same_in_any_unit_of_seconds():
    left, right = QuantumCircuit(1), QuantumCircuit(1)
    left.delay(1.5, 0, unit="us")
    right.delay(1500, 0, unit="ns")
    assert identity_of(left) == identity_of(right)


@given(st.data())
def test_any_order_of_disjoint_gates_is_the_same_circuit(data):
    gates = data.draw(
        st.lists(st.sampled_from([("h", 0), ("x", 1), ("cx", 0, 1), ("t", 2), ("cz", 2, 3)]), max_size=10)
    )

    def build(order):
        circuit = QuantumCircuit(4)
        for name, *wires in order:
            getattr(circuit, name)(*wires)
        return circuit

    shuffled = list(gates)
    for index in range(len(shuffled) - 1):
        if not set(shuffled[index][1:]) & set(shuffled[index + 1][1:]) and data.draw(st.booleans()):
            shuffled[index], shuffled[index + 1] = shuffled[index + 1], shuffled[index]
    assert identity_of(build(gates)) == identity_of(build(shuffled))


def test_reading_changes_nothing():
    circuit = classical()
    before = circuit.copy()
    operations_of(circuit)
    assert circuit == before
    circuit.data.pop()  # Qiskit 2 panics here if blocks were touched behind its back
    assert len(circuit.data) == len(before.data) - 1


def test_another_process_finds_the_same_identity():
    code = (
        "from qiskit import QuantumCircuit\n"
        "from qml_producers.qiskit.operations import operations_of\n"
        "from quantum_mlops.circuits import identity\n"
        "for _ in range(7): QuantumCircuit(1)\n"  # names are numbered per process
        "inner = QuantumCircuit(1); inner.h(0)\n"
        "circuit = QuantumCircuit(2); circuit.append(inner.to_gate(), [1])\n"
        "print(identity(operations_of(circuit), 2, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    inner, circuit = QuantumCircuit(1), QuantumCircuit(2)
    inner.h(0)
    circuit.append(inner.to_gate(), [1])
    assert done.stdout.strip() == identity_of(circuit)
