"""Plain numbers out of what the interfaces of PennyLane put in operators and results.

A value that autograd traces is read from its box without touching the trace: the box itself never meets an operation.
What another interface traces (a jax tracer) has no value, and none is made up. Copies are made here, in the caller's
thread, since a user's optimizer may change its arrays in place.
"""

from typing import Any

import numpy as np
from autograd.tracer import Box
from numpy.typing import NDArray

from quantum_mlops.circuits import Number

Plain = Number | NDArray[Any] | None
"""A number, a copy of an array, or None where there is no value."""

MOST_BYTES = 1024 * 1024  # of an array that is copied in the user's thread
_NUMBERS = (float, int, complex)


def plain(value: Any) -> Plain:
    """Return a number, a copy of an array, or None where the value is not known yet, is none or is above 1 MiB.

    >>> plain(np.float64(0.5)), plain(np.array(1)), plain("text")
    (0.5, 1, None)
    """
    if type(value) in _NUMBERS:
        return value  # type: ignore[no-any-return]
    while isinstance(value, Box):
        value = value._value  # noqa: SLF001 - what `autograd.tracer.getval` reads
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.generic):
        return _number(value.item())
    if isinstance(value, _NUMBERS):
        return value
    if isinstance(value, (list, tuple)):
        return _array(np.array(value))
    return None if value is None or isinstance(value, str) else _foreign(value)


def _array(value: NDArray[Any]) -> Plain:
    if value.dtype == object or value.nbytes > MOST_BYTES:
        return None
    return _number(value.item()) if value.ndim == 0 else np.array(value)


def _number(value: Any) -> Number | None:
    return value if isinstance(value, _NUMBERS) else None


def _foreign(value: Any) -> Plain:
    """Of torch, jax and the like, known by what they offer."""
    if any(kind.__name__ == "Tracer" for kind in type(value).__mro__):
        return None
    detach = getattr(value, "detach", None)
    if detach is not None:
        value = detach().cpu()
    return _array(np.asarray(value)) if hasattr(value, "__array__") else None
