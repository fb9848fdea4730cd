"""Circuit identity: `c1:` and a hash of the Foata normal form.

Two circuits have one identity if they differ only in the names of registers and parameters, in the order of
operations on disjoint wires, in barriers, in a global phase, or by less than the rounding of 1e-12. Neither the
process nor the SDK's version matters. The prefix versions the algorithm; tests/golden/circuit_identity.json holds it.
"""

import hashlib
from collections.abc import Iterable, Sequence

from quantum_mlops.circuits.normal_form import Number, Placed, normal_form, rounded

_DIGITS = 32  # 128 bits


def identity(
    operations: Iterable[tuple[str, Sequence[Number | str], tuple[int, ...], tuple[int, ...]]],
    n_qubits: int,
    n_bits: int,
) -> str:
    """Return the identity of a circuit given as (name, parameters, qubits, bits) in any order of execution.

    Pure. About 2 µs an operation. Raises what `normal_form` raises.

    >>> bell = [("h", (), (0,), ()), ("cx", (), (0, 1), ())]
    >>> identity([*bell, ("x", (), (2,), ())], 3, 0) == identity([("x", (), (2,), ()), *bell], 3, 0)
    True
    """
    return identity_of_form(normal_form(operations, n_qubits, n_bits), n_qubits, n_bits)


def identity_of_form(form: list[Placed], n_qubits: int, n_bits: int) -> str:
    """Return the identity of a circuit whose normal form is known."""
    return "c1:" + _hash((n_qubits, n_bits, form))


def parameters_digest(values: Iterable[float]) -> str:
    """Return `p1:` and a hash of bound values, in the order of binding, rounded to 1e-12.

    >>> parameters_digest([0.1 + 0.2]) == parameters_digest([0.3]) != parameters_digest([0.3, 0.0])
    True
    """
    return "p1:" + _hash([rounded(value) for value in values])


def _hash(value: object) -> str:
    # `ascii` of ints, texts, tuples and lists is the same in every Python; it escapes what is not ASCII.
    return hashlib.sha256(ascii(value).encode("ascii")).hexdigest()[:_DIGITS]
