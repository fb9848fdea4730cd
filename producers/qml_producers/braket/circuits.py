"""What the events say of a Braket circuit, read once per circuit and content.

The caller's thread only lists the instructions, which nobody changes; reading them, some µs each, waits for the
writer's thread and is kept while the very same instructions are sent again.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from braket.circuits import Circuit as BraketCircuit
from braket.circuits import FreeParameter, Instruction
from braket.circuits.moments import MomentsKey, MomentType

from qml_producers.braket.operations import VERBATIM, OperationReader
from quantum_mlops.circuits import Operation, Placed, depth, identity_of_form, normal_form
from quantum_mlops.events import Circuit

Edge = tuple[int, int]

_PLACES = {MomentType.INITIALIZATION_NOISE: 0, MomentType.READOUT_NOISE: 2}
_KEPT = 128
_KEPT_INSTRUCTIONS = 16 * 1024  # of 2 KB each, and the user's
_PAIR = 2
_UNCOUNTED = frozenset({"barrier"}) | VERBATIM


@dataclass(frozen=True, slots=True)
class CircuitCopy:
    """A circuit as it was sent. `is_sampled` tells whether it is measured at the end without saying so."""

    moments: list[tuple[MomentsKey, Instruction]]
    rotations: list[Instruction]
    touched: tuple[Any, ...]
    free: tuple[FreeParameter, ...]
    is_sampled: bool

    @property
    def qubits(self) -> tuple[int, ...]:
        """The qubits in use, ascending; those that only a result type names, too."""
        found = {int(qubit) for qubit in self.touched}
        for _, instruction in self.moments:
            found.update(map(int, instruction.target))
            found.update(map(int, instruction.control))
        return tuple(sorted(found))

    def is_same(self, other: "CircuitCopy") -> bool:
        """Tell whether both hold the very same instructions, so that nothing need be read anew."""
        return (
            len(self.moments) == len(other.moments)
            and self.is_sampled == other.is_sampled
            and self.touched == other.touched
            and len(self.rotations) == len(other.rotations)
            and all(
                mine is theirs and key.moment_type is other_key.moment_type
                for (key, mine), (other_key, theirs) in zip(self.moments, other.moments, strict=True)
            )
            and all(mine == theirs for mine, theirs in zip(self.rotations, other.rotations, strict=True))
        )

    def instructions(self) -> list[Instruction]:
        """Return the instructions as the SDK sends them: noise of preparation first, that of readout last.

        What `Circuit.instructions` does, which takes 4 µs an instruction and sorts the user's circuit.
        """
        placed = [(_PLACES.get(key.moment_type, 1), instruction) for key, instruction in self.moments]
        placed.sort(key=itemgetter(0))
        return [instruction for _, instruction in placed]


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
    results = circuit.result_types
    is_sampled = shots != 0 and getattr(circuit, "_measure_targets", None) is None
    return CircuitCopy(
        _items(circuit.moments),
        circuit.basis_rotation_instructions if results and is_sampled else [],
        tuple(circuit.qubits) if results else (),
        tuple(circuit.parameters),
        is_sampled,
    )


def _items(moments: Any) -> list[tuple[MomentsKey, Instruction]]:
    """The keys and instructions as they were added: an OrderedDict would hash each key anew, 1 µs an instruction."""
    held = getattr(moments, "_moments", None)
    return list(dict.items(held)) if isinstance(held, dict) else list(moments.items())


def read_circuit(copy: CircuitCopy) -> CircuitFacts:
    """Return the facts of a circuit. Pure. Raises what an operator of the user's own raises."""
    qubits, parameters = copy.qubits, tuple(sorted(parameter.name for parameter in copy.free))
    reader = OperationReader(parameters, qubits)
    operations = reader.operations([*copy.instructions(), *copy.rotations])
    if copy.is_sampled:
        measured = list(qubits)
        operations += [Operation("measure", (), (qubit,), (bit,)) for bit, qubit in enumerate(measured)]
    else:
        measured = reader.measured
    n_qubits, n_bits = max(qubits, default=-1) + 1, len(measured)
    form = normal_form(operations, n_qubits, n_bits)
    names = Counter(operation.name for operation in operations)
    is_verbatim = not VERBATIM.isdisjoint(names)
    levels = form
    if is_verbatim:
        levels = normal_form((each for each in operations if each.name not in VERBATIM), n_qubits, n_bits)
    return CircuitFacts(
        circuit=Circuit(
            identity=identity_of_form(form, n_qubits, n_bits),
            width=len(qubits),
            depth=depth(levels),
            two_qubit_gates=sum(1 for each in operations if len(each.qubits) == _PAIR and each.name not in _UNCOUNTED),
            gate_counts={name: count for name, count in sorted(names.items()) if name not in VERBATIM},
        ),
        parameters=parameters,
        measured=tuple(measured),
        qubits=list(qubits),
        edges=_edges(levels, n_qubits),
        is_physical=is_verbatim,
    )


def _edges(form: Sequence[Placed], n_qubits: int) -> list[Edge]:
    pairs = {tuple(sorted(wires)) for _, wires, _, _ in form if len(wires) == _PAIR and wires[1] < n_qubits}
    return sorted(pairs)  # type: ignore[arg-type]  # of pairs


class CircuitReader:
    """Reads circuits and keeps what it read last, up to a size. For one thread: the writer's."""

    def __init__(self) -> None:
        self._instructions = 0
        self._kept: OrderedDict[Any, tuple[CircuitCopy, CircuitFacts]] = OrderedDict()

    def read(self, copy: CircuitCopy) -> CircuitFacts:
        """Return the facts of a circuit as it was sent."""
        moments = copy.moments
        key = (id(moments[0][1]), id(moments[-1][1]), len(moments)) if moments else ()
        known = self._kept.get(key)
        if known is not None and known[0].is_same(copy):
            self._kept.move_to_end(key)
            return known[1]
        facts = read_circuit(copy)
        self._let_go(self._kept.pop(key, None))
        self._kept[key] = (copy, facts)  # keeps the instructions alive, so that no others take their addresses
        self._instructions += len(moments)
        while len(self._kept) > 1 and (len(self._kept) > _KEPT or self._instructions > _KEPT_INSTRUCTIONS):
            self._let_go(self._kept.popitem(last=False)[1])
        return facts

    def _let_go(self, kept: tuple[CircuitCopy, CircuitFacts] | None) -> None:
        self._instructions -= 0 if kept is None else len(kept[0].moments)
