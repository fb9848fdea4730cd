"""Which physical qubits and edges a circuit uses.

Primitives V2 take ISA circuits only: index i of the circuit is physical qubit i. A layout, when the transpiler left
one, tells the order of the qubits as the user wrote them.
"""

from collections.abc import Iterable, Sequence

from qiskit import QuantumCircuit

from quantum_mlops.circuits import Placed

Edge = tuple[int, int]


def wires_in_use(form: Iterable[Placed], n_qubits: int) -> tuple[list[int], list[Edge]]:
    """Return the qubits that any operation touches and the pairs that two-qubit operations use, both ascending."""
    qubits: set[int] = set()
    edges: set[Edge] = set()
    for _, wires, _, _ in form:
        if len(wires) == 1:
            qubits.add(wires[0])
            continue
        touched = [wire for wire in wires if wire < n_qubits]
        qubits.update(touched)
        if len(touched) == 2:  # noqa: PLR2004 (a pair)
            edges.add((min(touched), max(touched)))
    return sorted(qubits), sorted(edges)


def in_circuit_order(circuit: QuantumCircuit, qubits: Sequence[int]) -> list[int]:
    """Return the physical `qubits` in the order of the circuit before layout; those that routing added come last."""
    layout = circuit.layout
    if layout is None:
        return list(qubits)
    used = set(qubits)
    placed = [qubit for qubit in layout.initial_index_layout(filter_ancillas=True) if qubit in used]
    return placed + [qubit for qubit in qubits if qubit not in set(placed)]


def union(footprints: Iterable[tuple[Sequence[int], Sequence[Edge]]]) -> tuple[list[int], list[Edge]]:
    """Return the qubits in order of first appearance and the edges, sorted, of several circuits of one job."""
    qubits: dict[int, None] = {}
    edges: set[Edge] = set()
    for each_qubits, each_edges in footprints:
        qubits.update(dict.fromkeys(each_qubits))
        edges.update(each_edges)
    return list(qubits), sorted(edges)
