"""The Foata normal form of a circuit: its levels of operations that touch disjoint wires.

Two orders of writing the same circuit differ only by swaps of neighbours without a common wire, and such words are
equal exactly when their Foata normal forms are. Operations that commute on a shared wire stay in their order.

Source: Cartier and Foata, Problèmes combinatoires de commutation et réarrangements (1969); Diekert and Rozenberg,
The Book of Traces (1995), section 2.3.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Number = float | complex
Placed = tuple[int, tuple[int, ...], str, tuple[int | str, ...]]

_UNIT = 1e12  # parameters are rounded to 1e-12


class Operation(NamedTuple):
    """One operation by its neutral name: Qiskit's and OpenQASM's gate names, `measure`, `reset`, `delay`, `barrier`.

    `parameters` are numbers (angles in radians) or texts (see `quantum_mlops.circuits.symbols`); `qubits` and `bits`
    are indices into the circuit. A plain tuple of the four will do.
    """

    name: str
    parameters: Sequence[Number | str] = ()
    qubits: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()


def normal_form(
    operations: Iterable[tuple[str, Sequence[Number | str], tuple[int, ...], tuple[int, ...]]],
    n_qubits: int,
    n_bits: int,
) -> list[Placed]:
    """Return (level, wires, name, parameters) of every operation, sorted; bit i is wire `n_qubits + i`.

    Left out: barriers, which bind a compiler and not the outcome, and operations without wires (a global phase).

    Raises:
        TypeError: a parameter is neither a number nor a text.
        IndexError: a wire lies outside the circuit.

    >>> normal_form([("h", (), (1,), ()), ("x", (), (0,), ()), ("cx", (), (0, 1), ())], 2, 0)
    [(0, (0,), 'x', ()), (0, (1,), 'h', ()), (1, (0, 1), 'cx', ())]
    """
    free = [0] * (n_qubits + n_bits)
    placed: list[Placed] = []
    for name, parameters, qubits, bits in operations:
        if name == "barrier":
            continue
        wires = (*qubits, *[n_qubits + bit for bit in bits]) if bits else tuple(qubits)
        if len(wires) == 1:
            level = free[wires[0]]
            free[wires[0]] = level + 1
        elif wires:
            level = max([free[wire] for wire in wires])
            for wire in wires:
                free[wire] = level + 1
        else:
            continue
        placed.append((level, wires, name, tuple([rounded(value) for value in parameters]) if parameters else ()))
    placed.sort(key=_place)
    return placed


def depth(form: Sequence[Placed]) -> int:
    """Return the number of levels, measurements included."""
    return form[-1][0] + 1 if form else 0


def rounded(value: Number | str) -> int | str:
    """Return a number as its multiple of 1e-12, a text as it is; the sign of zero does not matter.

    >>> rounded(0.1 + 0.2) == rounded(0.3), rounded(1j), rounded(float("inf"))
    (True, '0,1000000000000j', 'inf')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, complex):
        return f"{rounded(value.real)},{rounded(value.imag)}j"
    if not isinstance(value, (int, float)):
        raise TypeError(f"parameter of type {type(value).__name__}: give a number or a text")
    try:
        return round(value * _UNIT)
    except (OverflowError, ValueError):
        return repr(float(value))


def _place(operation: Placed) -> tuple[int, tuple[int, ...]]:
    return operation[:2]
