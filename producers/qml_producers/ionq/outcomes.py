"""Counts as qiskit-ionq makes them, packed.

IonQ tells probabilities. The SDK makes counts of them: for the ideal simulator by drawing samples on the user's
machine, else by rounding probability times shots, so that their sum may differ from the shots by a few. What is told
is what the user was given, and its `shots` are the sum of the counts.
"""

from collections.abc import Mapping

import numpy as np

from qml_producers.observing.outcomes import pack
from quantum_mlops.events import Outcomes, ShotStatistics

_ZERO = ord("0")


def packed(counts: Mapping[str, int]) -> tuple[int, Outcomes | ShotStatistics] | None:
    r"""Return the shots and outcomes of counts by bit string (bit 0 rightmost); None where there are none to pack.

    >>> packed({"01": 3, "10": 1})
    (4, Outcomes(bits=2, keys=b'\x01\x02', counts=[3, 1]))
    """
    bits = len(next(iter(counts), ""))
    if not bits or any(len(key) != bits for key in counts):
        return None
    text = np.frombuffer("".join(counts).encode("ascii", "replace"), np.uint8).reshape(len(counts), bits) - _ZERO
    if text.max() > 1:
        return None
    rows = np.packbits(np.pad(text, ((0, 0), (-bits % 8, 0))), axis=1)
    repeated = np.repeat(rows, np.fromiter(counts.values(), np.int64, len(counts)), axis=0)
    return len(repeated), pack(repeated, bits)
