import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qml_producers.qiskit import circuits
from qml_producers.qiskit.circuits import CircuitReader, read_circuit


def example():
    circuit = QuantumCircuit(2, 2)
    circuit.rz(0.3, 0)
    circuit.rx(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


CHANGES = {
    "an angle by 1e-9": lambda circuit: circuit.data.__setitem__(
        0, circuit.data[0].replace(operation=type(circuit.data[0].operation)(0.3 + 1e-9))
    ),
    "one gate more": lambda circuit: circuit.x(0),
    "another expression": lambda circuit: circuit.rx(2 * circuit.parameters[0], 1),
    "a condition": lambda circuit: circuit.if_test((circuit.clbits[0], 1), QuantumCircuit(1), [0], []),
    "a bit more": lambda circuit: circuit.add_bits([type(circuit.clbits[0])()]),
    "another name": lambda circuit: setattr(circuit, "name", "other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_circuit_is_read_anew(change):
    reader = CircuitReader()
    circuit = example()
    before = reader.read(circuit.copy(), id(circuit))
    CHANGES[change](circuit)
    found = reader.read(circuit.copy(), id(circuit))
    assert found == read_circuit(circuit)
    assert found.circuit != before.circuit


def test_an_unchanged_circuit_is_read_once(monkeypatch):
    reads = []
    real = circuits.read_circuit
    monkeypatch.setattr(circuits, "read_circuit", lambda circuit: reads.append(1) or real(circuit))
    reader = CircuitReader()
    circuit = example()
    found = [reader.read(circuit.copy(), id(circuit)) for _ in range(5)]
    assert all(each == found[0] for each in found)
    assert len(reads) == (5 if circuits.HAS_CONDITIONS else 1)


def test_what_is_kept_is_bounded():
    reader = CircuitReader()
    for key in range(500):
        reader.read(example(), key)
    assert len(reader._kept) <= 128


def test_conditions_that_differ_only_in_their_value_are_told_apart():
    reader = CircuitReader()

    def guarded(value):
        circuit = QuantumCircuit(2, 1)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], value)):
            circuit.x(1)
        return circuit

    names = {reader.read(guarded(value), 1).circuit.identity for value in (0, 1, 0, 1)}
    assert len(names) == 2
