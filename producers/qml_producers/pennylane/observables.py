"""Observables as texts: sums of Pauli words as Qiskit writes them, anything else by its operators.

Only attributes are read, as in `operations`.
"""

from collections.abc import Mapping
from typing import Any

from qml_producers.pennylane.values import plain
from quantum_mlops.circuits import Number


def pauli_terms(observable: Any, qubits: Mapping[Any, int]) -> dict[str, Number] | None:
    """Return the coefficient of each Pauli word, qubit 0 rightmost; None where it is no known sum of those.

    >>> import pennylane as qml
    >>> pauli_terms(2 * qml.Z(0) @ qml.X(2), {0: 0, 1: 1, 2: 2})
    {'XIZ': 2.0}
    """
    sentence = getattr(observable, "pauli_rep", None)
    if sentence is None:
        return None
    found: dict[str, Number] = {}
    for word, coefficient in sentence.items():
        weight = plain(coefficient)
        if not isinstance(weight, (int, float, complex)):
            return None
        letters = ["I"] * len(qubits)
        for wire, letter in word.items():
            letters[qubits[wire]] = letter
        found["".join(reversed(letters))] = weight.real if isinstance(weight, complex) and not weight.imag else weight
    return found


def word_weight(terms: Mapping[str, Number] | None) -> float | None:
    """Return the coefficient of a single Pauli word, whose outcomes are plus and minus that; else None."""
    if terms is None or len(terms) != 1:
        return None
    ((word, weight),) = terms.items()
    return None if isinstance(weight, complex) or not word.strip("I") else abs(weight)
