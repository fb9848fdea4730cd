"""Unbound parameters as texts that depend neither on their names nor on how an SDK prints an expression.

A parameter is its position in the order in which values are bound, so identity and parameters digest together fix
what was executed. An expression is its value at two fixed points: equal functions written differently agree, and
two different ones agree at both points only by accident (Schwartz 1980, for polynomials).
"""

from collections.abc import Callable, Sequence

from quantum_mlops.circuits.normal_form import Number, rounded

_STEPS = (0.6180339887498949, 0.41421356237309515)  # golden ratio and sqrt(2), fractional parts


def symbol(position: int) -> str:
    """Return the text of an unbound parameter.

    >>> symbol(3)
    '$3'
    """
    return f"${position}"


def expression(positions: Sequence[int], evaluate: Callable[[list[float]], Number]) -> str:
    """Return the text of an expression in the parameters at `positions`.

    `evaluate` gets one value for each position, in ascending order, and is called twice. Its errors pass through.

    >>> expression([0], lambda values: 2 * values[0] + 1) == expression([0], lambda values: 1 + values[0] * 2)
    True
    """
    ordered = sorted(positions)
    probes = [[0.1 + (position + 1) * step % 1.0 for position in ordered] for step in _STEPS]
    at = ";".join(str(rounded(_plain(evaluate(probe)))) for probe in probes)
    return f"f({','.join(map(symbol, ordered))})={at}"


def _plain(value: Number) -> Number:
    return value if not isinstance(value, complex) or value.imag else value.real
