"""A gradient in a few numbers, from any array-like and without importing its library.

`copy_gradient` runs in the caller's thread and only copies bytes; `describe_gradient` computes, in the recorder's.
At most 1 MiB is taken: 131,072 components of 8 bytes, whose statistics take some 30 ms there.
"""

import math
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from quantum_mlops.events import GradientStatistics
from quantum_mlops.events.metric import NonFinite
from quantum_mlops.sdk.scalars import host_scalar

MAX_GRADIENT_BYTES: Final = 1024 * 1024
_SCALAR_BYTES: Final = 32
_REAL: Final = frozenset("?bBhHiIlLqQnNefd")

Copied = Callable[[], Sequence[float]]
"""Gives the components; for the recorder's thread."""


class CopiedGradient:
    """A copy that the caller's later changes cannot reach, and how much it keeps alive."""

    __slots__ = ("parts", "size_bytes")

    def __init__(self, parts: list[Copied], size_bytes: int) -> None:
        self.parts = parts
        self.size_bytes = size_bytes

    def components(self) -> list[float]:
        """Return all components, in order."""
        return [float(component) for part in self.parts for component in part()]


def copy_gradient(gradient: object) -> CopiedGradient:
    """Return a copy of a gradient: an array, a tensor in host memory, or numbers and arrays in lists, tuples and dicts.

    None in a list is a parameter without a gradient, and left out.

    Raises:
        TypeError: it is none of these, or not of real numbers.
        ValueError: it is larger than `MAX_GRADIENT_BYTES`.

    """
    if gradient is None:
        raise TypeError("None is no gradient")
    parts: list[Copied] = []
    numbers: list[float] = []
    size_bytes = 0
    for leaf in _leaves(gradient):
        if isinstance(leaf, int | float):
            size_bytes += _SCALAR_BYTES
            numbers.append(float(leaf))
        else:
            part, part_bytes = _copy_array(leaf, MAX_GRADIENT_BYTES - size_bytes)
            size_bytes += part_bytes
            if numbers:
                parts.append(numbers.copy)
                numbers = []
            parts.append(part)
        if size_bytes > MAX_GRADIENT_BYTES:
            raise _too_large()
    if numbers:
        parts.append(numbers.copy)
    return CopiedGradient(parts, size_bytes)


def describe_gradient(components: Sequence[float]) -> tuple[GradientStatistics, NonFinite | None]:
    """Return the statistics of a gradient, and what its norm is where that is not finite.

    `variance` is that of the components around their mean (divided by their number).

    >>> describe_gradient([3.0, -4.0])[0]
    GradientStatistics(size=2, norm=5.0, mean=-0.5, variance=12.25, max_abs=4.0)
    >>> describe_gradient([float("nan")])[1]
    'nan'
    """
    size = len(components)
    if not size:
        return GradientStatistics(size=0), None
    norm = math.hypot(*components)
    if not math.isfinite(norm):
        unknown = any(math.isnan(component) for component in components)
        return GradientStatistics(size=size), "nan" if unknown else "inf"
    mean = math.fsum(components) / size
    variance = math.fsum((component - mean) * (component - mean) for component in components) / size
    return GradientStatistics(
        size=size,
        norm=norm,
        mean=mean,
        variance=variance if math.isfinite(variance) else None,
        max_abs=max(map(abs, components)),
    ), None


def _leaves(gradient: object) -> Iterator[Any]:
    """Yield the numbers and arrays in nested lists, tuples and dicts."""
    waiting = [iter((gradient,))]
    while waiting:
        for item in waiting[-1]:
            if isinstance(item, list | tuple):
                waiting.append(iter(item))
                break
            if isinstance(item, dict):
                waiting.append(iter(item.values()))
                break
            if item is not None:
                yield item
        else:
            waiting.pop()
        if len(waiting) > 8:  # noqa: PLR2004 - deeper is no gradient, or holds itself
            raise TypeError("a gradient is nested in at most 7 lists")


def _copy_array(array: Any, most_bytes: int) -> tuple[Copied, int]:
    module = type(array).__module__.partition(".")[0]
    if module in ("jax", "jaxlib"):  # immutable, maybe still being computed: read later
        size_bytes = int(array.nbytes)
        numpy = sys.modules["numpy"]
        return lambda: numpy.asarray(array, dtype=float).ravel().tolist(), size_bytes
    if isinstance(array, bytes | bytearray):
        raise TypeError("bytes are no gradient")
    if hasattr(array, "detach"):  # a tensor of PyTorch
        if array.device.type != "cpu":
            raise TypeError("a gradient on an accelerator would have to be waited for: give it as `.cpu()`")
        array = array.detach().numpy()
    try:
        view = memoryview(array)
    except TypeError:
        number = host_scalar(array)
        return lambda: (number,), _SCALAR_BYTES
    if view.nbytes > most_bytes:
        raise _too_large()
    layout = view.format
    if layout.lstrip("@=<>")[-1:] not in _REAL or len(layout.lstrip("@=<>")) != 1:
        raise TypeError(f"a gradient has real numbers, not {layout!r}")
    prefix = layout[:-1] or "@"
    copied, count = view.tobytes(), view.nbytes // view.itemsize
    return lambda: struct.unpack(f"{prefix}{count}{layout[-1]}", copied), view.nbytes


def _too_large() -> ValueError:
    return ValueError(
        f"a gradient of more than {MAX_GRADIENT_BYTES} bytes: give `quantum_mlops.events.GradientStatistics` of it"
    )
