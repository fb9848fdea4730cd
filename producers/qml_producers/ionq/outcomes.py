"""Counts as qiskit-ionq makes them, packed.

IonQ tells probabilities. The SDK makes counts of them: for the ideal simulator by drawing samples on the user's
machine, else by rounding probability times shots, so that their sum may differ from the shots by a few. What is told
is what the user was given, and its `shots` are the sum of the counts.
"""

from collections.abc import Mapping

import numpy as np

from qml_producers.observing.outcomes import fits, pack_counted
from quantum_mlops.events import Outcomes, ShotStatistics

_ZERO = ord("0")


def packed(counts: Mapping[str, int]) -> tuple[int, Outcomes | ShotStatistics] | None:
    r"""Return the shots and outcomes of counts by bit string (bit 0 rightmost); None where there are none to pack.

    >>> packed({"01": 3, "10": 1})
    (4, Outcomes(bits=2, keys=b'\x01\x02', counts=[3, 1]))
    """
    bits = len(next(iter(counts), ""))
    text = "".join(counts)
    if not bits or not text.isascii() or any(len(key) != bits for key in counts):
        return None
    values = np.frombuffer(text.encode(), np.uint8).reshape(len(counts), bits) - _ZERO
    if values.max() > 1:
        return None
    if fits(len(counts), bits):
        width = (bits + 7) // 8
        ascending = sorted(counts.items())
        keys = b"".join([int(key, 2).to_bytes(width, "big") for key, _ in ascending])
        return sum(counts.values()), Outcomes(bits=bits, keys=keys, counts=[count for _, count in ascending])
    padded = np.zeros((len(counts), -bits % 64 + bits), np.uint8)
    padded[:, -bits:] = values
    rows = np.packbits(padded, axis=1)  # whole words, which sort fast
    order = np.lexsort(rows.view(">u8").astype(np.uint64).T[::-1])
    sorted_counts = np.fromiter(counts.values(), np.int64, len(counts))[order]
    return int(sorted_counts.sum()), pack_counted(rows[order, -((bits + 7) // 8) :], sorted_counts, bits)
