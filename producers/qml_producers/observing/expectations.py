"""Expectation values of an estimator, in the shape of events.

Standard errors are as reported: the ones of Aer's estimator are the precision that was asked for, and where all
are zero (an exact simulation) there are none.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from quantum_mlops.circuits import parameters_digest
from quantum_mlops.codec import digest
from quantum_mlops.events import Expectation

VALUES_PER_EVENT = 1000  # two numbers of at most 24 characters each: under 50 KiB


def expectations(values: NDArray[np.float64], errors: NDArray[np.float64] | None, label: str) -> Iterator[Expectation]:
    """Yield the values in order, at most 1,000 in one struct; nothing if any of them is not finite or not real."""
    flat = np.ravel(values)
    if np.iscomplexobj(flat):
        if np.any(flat.imag):
            return
        flat = flat.real
    if not np.all(np.isfinite(flat)):
        return
    reported = _reported(errors, flat.size)
    for start in range(0, flat.size, VALUES_PER_EVENT):
        stop = start + VALUES_PER_EVENT
        yield Expectation(
            observables=label,
            values=flat[start:stop].tolist(),
            standard_errors=None if reported is None else reported[start:stop].tolist(),
        )


def _reported(errors: NDArray[np.float64] | None, size: int) -> NDArray[np.float64] | None:
    if errors is None:
        return None
    flat = np.ravel(np.asarray(errors, dtype=np.float64))
    return flat if flat.size == size and np.any(flat) and np.all(np.isfinite(flat)) else None


def observables_label(observables: Iterable[dict[str, float]]) -> str:
    """Return `o1:` and a hash of observables, each a mapping of Pauli text to coefficient, in order.

    >>> observables_label([{"ZZ": 1.0, "XI": 0.5}]) == observables_label([{"XI": 0.5, "ZZ": 1.0}])
    True
    """
    terms = [sorted((pauli, parameters_digest([weight])) for pauli, weight in each.items()) for each in observables]
    return "o1:" + digest(terms, 8)
