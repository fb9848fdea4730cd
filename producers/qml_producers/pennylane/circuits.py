"""What the events say of a tape: its circuit, its readouts and its observables.

A tape has its parameters bound, so every step of a training has a circuit of its own, and each is read once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pennylane.measurements import ExpectationMP

from qml_producers.observing.expectations import observables_label
from qml_producers.pennylane.captures import CapturedTape
from qml_producers.pennylane.observables import pauli_terms, word_weight
from qml_producers.pennylane.operations import TapeReader
from qml_producers.pennylane.tapes import all_wires, is_readout, is_sampled, qubits_of
from quantum_mlops.circuits import Operation, depth, identity_of_form, normal_form, parameters_digest
from quantum_mlops.events import Circuit

_PAIR = 2


@dataclass(frozen=True, slots=True)
class TapeFacts:
    """The facts of one tape. `label` names all observables whose expectation it asks for, in order.

    `weights` are the moduli of their outcomes where an observable has no more than two, else None. `swept` are the
    parameters with one value for each element of a sweep.
    """

    circuit: Circuit
    label: str | None
    weights: list[float | None]
    swept: list[NDArray[Any]]

    def digest(self, element: int) -> str | None:
        """Return the digest of the values of one element of a sweep; None where nothing is swept."""
        if not self.swept:
            return None
        return parameters_digest(float(value) for values in self.swept for value in np.ravel(values[element]))


def read_tape(captured: CapturedTape, device_wires: Sequence[Any] | None) -> TapeFacts:
    """Return the facts of a tape. Pure; makes no operator."""
    qubits = None if device_wires is None else {label: index for index, label in enumerate(device_wires)}
    try:
        return _read(captured, device_wires, qubits or qubits_of(captured.tape, device_wires))
    except KeyError:  # a wire that the device does not have, such as an auxiliary one
        return _read(captured, device_wires, qubits_of(captured.tape, device_wires))


def _read(captured: CapturedTape, device_wires: Sequence[Any] | None, qubits: Mapping[Any, int]) -> TapeFacts:
    tape = captured.tape
    reader = TapeReader(qubits, captured.values)
    operations = reader.read(tape.operations)
    middle = len(reader.bits)
    readouts, label, weights = _measurements(tape, qubits, reader, device_wires)
    operations += readouts
    n_qubits = len(qubits)
    n_bits = middle + sum(1 for operation in readouts if operation.name == "measure")
    form = normal_form(operations, n_qubits, n_bits)
    used = {wire for _, wires, _, _ in form for wire in wires if wire < n_qubits}
    two_qubit = sum(1 for name, _, wires, _ in operations if len(wires) == _PAIR and name != "barrier")
    circuit = Circuit(
        identity=identity_of_form(form, n_qubits, n_bits),
        width=len(used),
        depth=depth(form),
        two_qubit_gates=two_qubit,
        gate_counts=dict(sorted(Counter(operation.name for operation in operations).items())),
    )
    return TapeFacts(circuit, label, weights, reader.swept)


def _measurements(
    tape: Any, qubits: Mapping[Any, int], reader: TapeReader, device_wires: Sequence[Any] | None
) -> tuple[list[Operation], str | None, list[float | None]]:
    """The readouts as operations, each wire measured once; the label and weights of the expectation values."""
    read: dict[Any, None] = {}
    bases: list[Operation] = []
    terms: list[dict[str, Any]] = []
    weights: list[float | None] = []
    for measurement in tape.measurements:
        if isinstance(measurement, ExpectationMP):
            found: Any = None if measurement.obs is None else pauli_terms(measurement.obs, qubits)
            weights.append(word_weight(found))
            terms.append(found or {reader.text(measurement.obs): 1.0})
        elif is_readout(measurement):
            labels = measurement.wires.labels or all_wires(tape, device_wires)
            read.update(dict.fromkeys(labels))
        elif is_sampled(measurement):
            wires = tuple([qubits[label] for label in measurement.wires.labels])
            found = pauli_terms(measurement.obs, qubits)
            text = reader.text(measurement.obs) if found is None else observables_label([found])
            bases.append(Operation("pennylane.basis", [text], wires, ()))
    first = len(reader.bits)
    measures = [Operation("measure", (), (qubits[label],), (first + bit,)) for bit, label in enumerate(read)]
    return [*measures, *bases], observables_label(terms) if terms else None, weights
