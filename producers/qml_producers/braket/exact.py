"""Exact expectation values of a run without shots, where the observables are products of Paulis.

The label of the observables is that of Qiskit's estimator for the same ones. Amplitudes, states and probabilities are
not told: they grow with the number of qubits' states.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qml_producers.braket.circuits import CircuitFacts
from qml_producers.braket.operations import values_of
from qml_producers.observing.expectations import expectations, observables_label
from quantum_mlops.circuits import parameters_digest

_PAULIS = {"x": "X", "y": "Y", "z": "Z", "i": "I"}
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation value: the Pauli on each qubit, and the value."""

    paulis: tuple[tuple[int, str], ...]
    value: float


def copy_expected(result: Any) -> list[Expected]:
    """Return the expectation values of a result in their order; of other result types nothing."""
    return [expected for each in (result.result_types or ())[:_MOST] if (expected := _expected(each)) is not None]


def expectation_parts(expected: Sequence[Expected], facts: CircuitFacts, inputs: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the fields of the events of expectation values."""
    if not expected:
        return
    width = max([*facts.qubits, *(qubit for each in expected for qubit, _ in each.paulis)], default=-1) + 1
    label = observables_label([{_text(each.paulis, width): 1.0} for each in expected])
    values = values_of(facts.parameters, inputs)
    digest = None if values is None else parameters_digest(values)
    for found in expectations(np.array([each.value for each in expected]), None, label):
        yield {"shots": 0, "parameters": digest, "expectation": found}


def _expected(each: Any) -> Expected | None:
    kind = each.type
    targets = getattr(kind, "targets", None)
    observable = getattr(kind, "observable", None)
    if str(getattr(kind.type, "value", kind.type)) != "expectation" or not targets or not observable:
        return None
    if len(observable) != len(targets) or not isinstance(each.value, (int, float)):
        return None
    names = [_PAULIS.get(name) if isinstance(name, str) else None for name in observable]
    if None in names:
        return None
    return Expected(
        tuple((int(qubit), str(name)) for qubit, name in zip(targets, names, strict=True)), float(each.value)
    )


def _text(paulis: Sequence[tuple[int, str]], width: int) -> str:
    """The Paulis as Qiskit writes them: qubit 0 rightmost."""
    placed = dict(paulis)
    return "".join(placed.get(qubit, "I") for qubit in reversed(range(width)))
