"""What the events say of a circuit, read once per circuit and content.

The reading costs some µs per operation, so it runs in the writer's thread on a copy and is kept: a training loop
sends one circuit a thousand times. A kept reading is used only if the copy equals the circuit that was read, gate by
gate, so a circuit that was changed in between is read anew. Only circuits of standard gates are kept, with Qiskit 2:
equality there is exact and fast, elsewhere (conditions, control flow, Qiskit 1) it is neither.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass

from qiskit import QuantumCircuit

from qml_producers.qiskit.footprint import Edge, in_circuit_order, wires_in_use
from qml_producers.qiskit.operations import HAS_CONDITIONS, STANDARD_NAMES, operations_of
from quantum_mlops.circuits import depth, identity_of_form, normal_form
from quantum_mlops.events import Circuit

_KEPT = 128
_MAX_LABEL = 512


@dataclass(frozen=True)
class CircuitFacts:
    """The facts of one circuit: its event struct, and the qubits and edges that it uses, by index."""

    circuit: Circuit
    qubits: list[int]
    edges: list[Edge]


def read_circuit(circuit: QuantumCircuit) -> CircuitFacts:
    """Return the facts of a circuit. Pure."""
    operations = operations_of(circuit)
    n_qubits, n_bits = circuit.num_qubits, circuit.num_clbits
    form = normal_form(operations, n_qubits, n_bits)
    qubits, edges = wires_in_use(form, n_qubits)
    two_qubit = sum(1 for name, _, wires, _ in operations if len(wires) == 2 and name != "barrier")  # noqa: PLR2004
    return CircuitFacts(
        circuit=Circuit(
            identity=identity_of_form(form, n_qubits, n_bits),
            name=str(circuit.name)[:_MAX_LABEL],
            width=len(qubits),
            depth=depth(form),
            two_qubit_gates=two_qubit,
            gate_counts=dict(sorted(Counter(name for name, _, _, _ in operations).items())),
        ),
        qubits=in_circuit_order(circuit, qubits),
        edges=edges,
    )


class CircuitReader:
    """Reads circuits and keeps what it read. For one thread: the writer's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[QuantumCircuit, CircuitFacts]] = OrderedDict()

    def read(self, circuit: QuantumCircuit, key: int) -> CircuitFacts:
        """Return the facts of `circuit`, a copy that nobody changes; `key` is the id of the user's own circuit."""
        known = self._kept.get(key)
        if known is not None and _equal(known[0], circuit):
            self._kept.move_to_end(key)
            return known[1]
        facts = read_circuit(circuit)
        if not HAS_CONDITIONS and STANDARD_NAMES.issuperset(facts.circuit.gate_counts):
            self._kept[key] = (circuit, facts)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return facts


def _equal(left: QuantumCircuit, right: QuantumCircuit) -> bool:
    return (
        left.name == right.name
        and left.layout is right.layout
        and left.num_qubits == right.num_qubits
        and left.num_clbits == right.num_clbits  # equality of the data overlooks idle bits
        and bool(left.data == right.data)
    )
