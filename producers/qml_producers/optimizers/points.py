"""The last values that the user's function gave, found again by the point at which it gave them."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

import numpy as np

_KEPT = 512


def key_of(point: Any) -> bytes:
    """Return what names a point: equal for equal numbers, whatever array they are in. Raises what NumPy raises."""
    return blake2b(np.asarray(point, dtype=float).tobytes(), digest_size=16).digest()


def number_of(value: Any) -> float | None:
    """Return a value of the user's function as a float; None where it is no single real number in host memory.

    >>> number_of(np.array([0.5])), number_of(1), number_of([0.5, 0.6])
    (0.5, 1.0, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, np.generic | np.ndarray) and value.size == 1 and value.dtype.kind in "iuf":
        return float(value.item())
    return None


class Points:
    """Values by point, at most 512: those that came last."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, float] = OrderedDict()

    def remember(self, key: bytes, value: float) -> None:
        """Keep the value at a point."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > _KEPT:
            self._values.popitem(last=False)

    def recall(self, key: bytes) -> float | None:
        """Return the value at a point, None where it was not evaluated or is forgotten."""
        return self._values.get(key)
