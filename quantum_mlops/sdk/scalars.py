"""Python numbers from what a host program calls a number, without importing its libraries.

Only host memory is read: NumPy scalars and 0-d arrays. An array on an accelerator would block on its
device, so everything else is refused.
"""

import math
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from quantum_mlops.events.metric import MetricLogged, NonFinite

_encode = msgspec.msgpack.Encoder().encode


def host_scalar(value: object) -> Any:
    """Return the Python scalar of a NumPy scalar or 0-d array.

    Raises:
        TypeError: the value is anything else.

    """
    numpy = sys.modules.get("numpy")
    generic, array = getattr(numpy, "generic", None), getattr(numpy, "ndarray", None)
    if generic is not None and isinstance(value, generic):
        return value.item()
    if array is not None and isinstance(value, array) and value.ndim == 0:
        return value.item()
    raise TypeError(f"cannot take a value of type {type(value).__module__}.{type(value).__qualname__}")


def split_finite(values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, NonFinite], list[str]]:
    """Return finite values, names of the non-finite ones, and the names of those that are no number.

    >>> split_finite({"loss": float("nan"), "accuracy": 1, "model": "vqc"})
    ({'accuracy': 1.0}, {'loss': 'nan'}, ['model'])
    """
    finite: dict[str, float] = {}
    nonfinite: dict[str, NonFinite] = {}
    refused: list[str] = []
    for name, value in dict(values).items():
        try:
            number = value if type(value) is float else _as_float(value)
        except (TypeError, ValueError, OverflowError):
            refused.append(str(name)[:100])
            continue
        if type(name) is not str:
            refused.append(repr(name)[:100])
        elif math.isfinite(number):
            finite[name] = number
        else:
            nonfinite[name] = "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"
    return finite, nonfinite, refused


def pack_metrics(values: Mapping[str, Any], phase: Any) -> tuple[bytes | None, list[str]]:
    """Return the packed data of a `metric.logged` event, None where nothing is a number, and the names left out.

    Packed at once, since bytes take a third of the memory that the structs would take in the queue.

    Raises:
        Exception: what the mapping or msgspec raise.

    """
    finite, nonfinite, refused = split_finite(values)
    if refused and not finite and not nonfinite:
        return None, refused
    return _encode(MetricLogged(values=finite, nonfinite=nonfinite, phase=phase)), refused


def _as_float(value: object) -> float:
    if not isinstance(value, int | float):
        value = host_scalar(value)
    if not isinstance(value, int | float):
        raise TypeError(f"no real number: {type(value).__qualname__}")
    return float(value)
