"""What the events say of a Braket circuit, read once per circuit and content.

The caller's thread only lists the instructions, which nobody changes; reading them, some µs each, waits for the
writer's thread and is kept while the very same instructions are sent again.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from braket.circuits import Circuit as BraketCircuit
from braket.circuits import Instruction

from qml_producers.braket.operations import VERBATIM, OperationReader
from quantum_mlops.circuits import Operation, Placed, depth, identity_of_form, normal_form
from quantum_mlops.events import Circuit

Edge = tuple[int, int]

_KEPT = 128
_PAIR = 2
_UNCOUNTED = frozenset({"barrier"}) | VERBATIM


@dataclass(frozen=True, slots=True)
class CircuitCopy:
    """A circuit as it was sent. `is_sampled` tells whether it is measured at the end without saying so."""

    instructions: list[Instruction]
    rotations: list[Instruction]
    qubits: tuple[int, ...]
    parameters: tuple[str, ...]
    is_sampled: bool

    def is_same(self, other: "CircuitCopy") -> bool:
        """Tell whether both hold the very same instructions, so that nothing need be read anew."""
        return (
            len(self.instructions) == len(other.instructions)
            and self.is_sampled == other.is_sampled
            and self.qubits == other.qubits
            and len(self.rotations) == len(other.rotations)
            and all(mine is theirs for mine, theirs in zip(self.instructions, other.instructions, strict=True))
            and all(mine == theirs for mine, theirs in zip(self.rotations, other.rotations, strict=True))
        )


@dataclass(frozen=True)
class CircuitFacts:
    """The facts of one circuit. `measured` is the qubit of each bit; `qubits` and `edges` are those it touches."""

    circuit: Circuit
    parameters: tuple[str, ...] = ()
    measured: tuple[int, ...] = ()
    qubits: list[int] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    is_physical: bool = False


def copy_circuit(circuit: BraketCircuit, shots: int | None) -> CircuitCopy:
    """Return what is read of a circuit later; result types are read as the rotations before measuring.

    In the caller's thread: some µs.
    """
    instructions = circuit.instructions
    results = circuit.result_types
    is_sampled = shots != 0 and getattr(circuit, "_measure_targets", None) is None
    parameters = tuple(sorted([parameter.name for parameter in circuit.parameters])) if circuit.parameters else ()
    return CircuitCopy(
        instructions,
        circuit.basis_rotation_instructions if results and is_sampled else [],
        tuple([int(qubit) for qubit in circuit.qubits]),
        parameters,
        is_sampled,
    )


def read_circuit(copy: CircuitCopy) -> CircuitFacts:
    """Return the facts of a circuit. Pure. Raises what an operator of the user's own raises."""
    reader = OperationReader(copy.parameters, copy.qubits)
    operations = reader.operations([*copy.instructions, *copy.rotations])
    if copy.is_sampled:
        measured = sorted(copy.qubits)
        operations += [Operation("measure", (), (qubit,), (bit,)) for bit, qubit in enumerate(measured)]
    else:
        measured = reader.measured
    n_qubits, n_bits = max(copy.qubits, default=-1) + 1, len(measured)
    form = normal_form(operations, n_qubits, n_bits)
    names = Counter(operation.name for operation in operations)
    is_verbatim = not VERBATIM.isdisjoint(names)
    levels = form
    if is_verbatim:
        levels = normal_form((each for each in operations if each.name not in VERBATIM), n_qubits, n_bits)
    return CircuitFacts(
        circuit=Circuit(
            identity=identity_of_form(form, n_qubits, n_bits),
            width=len(copy.qubits),
            depth=depth(levels),
            two_qubit_gates=sum(1 for each in operations if len(each.qubits) == _PAIR and each.name not in _UNCOUNTED),
            gate_counts={name: count for name, count in sorted(names.items()) if name not in VERBATIM},
        ),
        parameters=copy.parameters,
        measured=tuple(measured),
        qubits=sorted(copy.qubits),
        edges=_edges(levels, n_qubits),
        is_physical=is_verbatim,
    )


def _edges(form: Sequence[Placed], n_qubits: int) -> list[Edge]:
    pairs = {tuple(sorted(wires)) for _, wires, _, _ in form if len(wires) == _PAIR and wires[1] < n_qubits}
    return sorted(pairs)  # type: ignore[arg-type]  # of pairs


class CircuitReader:
    """Reads circuits and keeps what it read. For one thread: the writer's."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, tuple[CircuitCopy, CircuitFacts]] = OrderedDict()

    def read(self, copy: CircuitCopy) -> CircuitFacts:
        """Return the facts of a circuit as it was sent."""
        key = (id(copy.instructions[0]), id(copy.instructions[-1]), len(copy.instructions)) if copy.instructions else ()
        known = self._kept.get(key)
        if known is not None and known[0].is_same(copy):
            self._kept.move_to_end(key)
            return known[1]
        facts = read_circuit(copy)
        self._kept[key] = (copy, facts)  # keeps the instructions alive, so that no others take their addresses
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return facts
