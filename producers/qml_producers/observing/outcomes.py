"""Measured shots, packed: outcomes with counts, or fixed-size statistics where those do not fit in an event.

Input are the byte arrays of Qiskit's BitArray: one row a shot, big-endian, padded on the left. Pure functions of
numpy arrays; 4 bits of 1,024 shots take about 10 µs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantum_mlops.events import Outcomes, ShotStatistics
from quantum_mlops.events.shots import MAX_STATISTICS_BITS, MAX_TOP_OUTCOMES

Rows = NDArray[np.uint8]

MAX_OUTCOME_BYTES = 40 * 1024  # of the 64 KiB of an event
_WORD_BITS = 64
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio; its powers are the factors of a hash."""
_BINCOUNT_BITS = 16
_COUNT_BYTES = 8  # a count and its comma, at most 7 digits


def join_registers(registers: Sequence[tuple[Rows, int]]) -> tuple[Rows, int]:
    """Return the rows of all registers as one, the first register in the lowest bits, and the number of bits.

    `registers` are (rows of shape (shots, bytes), bits).
    """
    if len(registers) == 1:
        return registers[0]
    unpacked = [np.unpackbits(rows, axis=1)[:, rows.shape[1] * 8 - bits :] for rows, bits in reversed(registers)]
    joined = np.concatenate(unpacked, axis=1) if unpacked else np.zeros((0, 0), np.uint8)
    bits = joined.shape[1]
    return np.packbits(np.pad(joined, ((0, 0), (-bits % 8, 0))), axis=1), bits


def count_outcomes(rows: Rows, bits: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return the distinct rows, ascending, and how often each occurs."""
    width = (bits + 7) // 8
    if not width or not len(rows):
        return np.zeros((1 if len(rows) else 0, width), np.uint8), np.array([len(rows)] if len(rows) else [], np.int64)
    if bits <= _BINCOUNT_BITS:
        values = rows[:, 0] if width == 1 else rows[:, 0].astype(np.uint16) << 8 | rows[:, 1]
        counts = np.bincount(values)
        seen = np.flatnonzero(counts)
        return _bytes_of(seen, width), counts[seen]
    if bits <= _WORD_BITS:
        padded = np.zeros((len(rows), 8), np.uint8)
        padded[:, 8 - width :] = rows
        words, counts = np.unique(padded.view(">u8").ravel().astype(np.uint64), return_counts=True)
        return _bytes_of(words, width), counts
    keys, counts = _distinct(rows, width)
    order = np.argsort(_texts(keys))
    return keys[order], counts[order]


def pack(rows: Rows, bits: int) -> Outcomes | ShotStatistics:
    r"""Return the outcomes of all rows, or their statistics where the outcomes need more than 40 KiB.

    >>> pack(np.array([[3], [0], [3]], np.uint8), 2)
    Outcomes(bits=2, keys=b'\x00\x03', counts=[1, 2])
    """
    if bits <= _WORD_BITS or not len(rows):
        return pack_counted(*count_outcomes(rows, bits), bits)
    keys, counts = _distinct(rows, (bits + 7) // 8)
    if not fits(len(counts), bits):
        return _statistics(keys, counts, bits)
    order = np.argsort(_texts(keys))
    return pack_counted(keys[order], counts[order], bits)


def pack_counted(keys: Rows, counts: NDArray[np.int64], bits: int) -> Outcomes | ShotStatistics:
    """Return as `pack` what was counted already: distinct rows, ascending, and how often each occurred."""
    if fits(len(counts), bits):
        return Outcomes(bits=bits, keys=keys.tobytes(), counts=counts.tolist())
    return _statistics(keys, counts, bits)


def fits(outcomes: int, bits: int) -> bool:
    """Tell whether so many distinct outcomes go into one event."""
    return outcomes * ((bits + 7) // 8) * 4 // 3 + outcomes * _COUNT_BYTES <= MAX_OUTCOME_BYTES


def pool(rows: Rows, bits: int) -> ShotStatistics:
    """Return the statistics of all rows, however few."""
    if bits <= _WORD_BITS or not len(rows):
        return _statistics(*count_outcomes(rows, bits), bits)
    return _statistics(*_distinct(rows, (bits + 7) // 8), bits)


def _distinct(rows: Rows, width: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return the distinct rows, in no order, and how often each occurs: by a hash of their words, then compared."""
    padded = np.zeros((len(rows), -(-width // 8) * 8), np.uint8)
    padded[:, :width] = rows
    words = padded.view(np.uint64)
    hashes = (words * np.multiply.accumulate(np.full(words.shape[1], _ODD))).sum(axis=1, dtype=np.uint64)
    order = np.argsort(hashes)
    hashes, words = hashes[order], words[order]
    differs = np.any(words[1:] != words[:-1], axis=1)
    if np.any(differs & (hashes[1:] == hashes[:-1])):  # two rows of one hash
        keys, counts = np.unique(_texts(rows), return_counts=True)
        return keys.view(np.uint8).reshape(-1, width), counts
    starts = np.flatnonzero(np.concatenate(([True], differs)))
    return rows[order[starts]], np.diff(starts, append=len(rows))


def _texts(rows: Rows) -> NDArray[Any]:
    """Return the rows as values that sort as their bytes do."""
    return np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").ravel()


def _statistics(keys: Rows, counts: NDArray[np.int64], bits: int) -> ShotStatistics:
    top = _most_frequent(keys, counts)
    shifted = np.right_shift(keys, np.uint8(1))
    shifted[:, 1:] |= np.left_shift(keys[:, :-1], np.uint8(7))
    return ShotStatistics(
        bits=bits,
        ones=_weigh(counts, keys, min(bits, MAX_STATISTICS_BITS)),
        parities=_weigh(counts, np.bitwise_xor(keys, shifted), min(bits, MAX_STATISTICS_BITS) - 1),
        top=Outcomes(bits=bits, keys=keys[top].tobytes(), counts=counts[top].tolist()),
        rest=int(counts.sum() - counts[top].sum()),
    )


def _most_frequent(keys: Rows, counts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where the 64 most frequent keys stand, in the order of the keys; of equally frequent ones the least."""
    found = np.arange(len(counts))
    if len(found) < 2:  # noqa: PLR2004 - nothing to order, and perhaps no bytes to order by
        return found
    if len(counts) > MAX_TOP_OUTCOMES:
        least = np.partition(counts, -MAX_TOP_OUTCOMES)[-MAX_TOP_OUTCOMES]
        above, tied = np.flatnonzero(counts > least), np.flatnonzero(counts == least)
        wanted = MAX_TOP_OUTCOMES - len(above)
        heads = keys[tied, 0]
        tied = tied[heads <= np.partition(heads, wanted - 1)[wanted - 1]]  # sort no more than may be among them
        found = np.concatenate((above, tied[np.argsort(_texts(keys[tied]))[:wanted]]))
    return found[np.argsort(_texts(keys[found]))]


def _weigh(counts: NDArray[np.int64], rows: Rows, bits: int) -> list[int]:
    """Return for each of the lowest `bits`, the lowest first, the sum of `counts` over the rows in which it is set."""
    columns = np.unpackbits(rows, axis=1)[:, rows.shape[1] * 8 - bits :]
    if len(counts) and counts.max() == 1:
        sums = columns.sum(axis=0, dtype=np.uint32)
    else:
        sums = np.einsum("i,ij->j", counts, columns)  # a third of the time of `counts @ columns`
    found: list[int] = sums[::-1].tolist()
    return found


def _bytes_of(values: NDArray[Any], width: int) -> Rows:
    """The last `width` bytes of each value, big-endian."""
    return np.ascontiguousarray(values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :])
