"""From results to the contract's structs: what a tape measured.

PennyLane writes the first wire leftmost; in events the first measured bit is bit 0, the rightmost, as in Qiskit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pennylane.measurements import CountsMP, ExpectationMP

from qml_producers.observing.expectations import expectations
from qml_producers.observing.outcomes import Rows, pack
from qml_producers.pennylane.captures import Bits, CapturedTape
from qml_producers.pennylane.circuits import TapeFacts
from quantum_mlops.events import Outcomes, Register, ShotStatistics

Part = dict[str, Any]  # the fields of one event

_REGISTER = "meas"
_MOST_OUTCOMES = 1000  # that are packed one by one; of 100 bits they take 18 KiB
_MOST_PROBABILITY_BITS = 20
_NEAR = 1e-6  # how far frequencies times shots may lie from whole numbers


def measured_parts(captured: CapturedTape, facts: TapeFacts, copies: Sequence[Sequence[Any]]) -> Iterator[Part]:
    """Yield the fields of each event of one tape: samples measurement by measurement, then the expectation values."""
    for shots, measured in zip(captured.shots, copies, strict=True):
        values = []
        for measurement, result in zip(captured.tape.measurements, measured, strict=True):
            if isinstance(measurement, ExpectationMP):
                values.append(result)
            elif result is not None and shots is not None:
                for element, (bits, packed) in enumerate(_readouts(measurement, result, shots)):
                    kind = "outcomes" if isinstance(packed, Outcomes) else "statistics"
                    registers = [Register(name=_REGISTER, bits=bits)]
                    yield {"registers": registers, "shots": shots, "parameters": facts.digest(element), kind: packed}
        if values and facts.label is not None:
            yield from _estimated(values, facts, shots)


def _readouts(measurement: Any, result: Any, shots: int) -> Iterator[tuple[int, Outcomes | ShotStatistics]]:
    """Yield (bits, outcomes): once, or for each element of a sweep of parameters."""
    if isinstance(measurement, CountsMP):
        for counts in [result] if isinstance(result, dict) else result:
            width = len(next(iter(counts), ""))
            yield width, _counted(counts, width)
    elif isinstance(result, Bits):
        for rows in result.rows:
            yield result.wires, pack(rows, result.wires)
    else:
        bits = result.shape[-1].bit_length() - 1
        for frequencies in result.reshape(-1, result.shape[-1]):
            counts = _counts_of_frequencies(frequencies, bits, shots)
            if counts is not None:
                yield bits, _counted(counts, bits)


def _counted(counts: Mapping[str, Any], bits: int) -> Outcomes | ShotStatistics:
    """Pack counts by bitstring, first wire leftmost."""
    seen = sorted((int(key[::-1], 2), int(count)) for key, count in counts.items() if count)
    if len(seen) <= _MOST_OUTCOMES and seen:
        keys = b"".join([key.to_bytes((bits + 7) // 8, "big") for key, _ in seen])
        return Outcomes(bits=bits, keys=keys, counts=[count for _, count in seen])
    rows = _packed(np.array([[int(character) for character in key] for key in counts], np.uint8))
    return pack(np.repeat(rows, [int(count) for count in counts.values()], axis=0), bits)


def _packed(bits: NDArray[Any]) -> Rows:
    """Rows of bits, first wire first, as bytes with the first wire lowest."""
    rows = np.packbits(bits.astype(np.uint8, copy=False), axis=1, bitorder="little")
    return np.ascontiguousarray(rows[:, ::-1])


def _counts_of_frequencies(frequencies: NDArray[np.float64], bits: int, shots: int) -> dict[str, int] | None:
    """None where these are no frequencies of so many shots: a service may round, a device may mitigate."""
    if bits > _MOST_PROBABILITY_BITS or not bits:
        return None
    counts = np.rint(frequencies * shots)
    if counts.sum() != shots or counts.min() < 0 or np.any(np.abs(frequencies * shots - counts) > _NEAR * shots):
        return None
    return {f"{outcome:0{bits}b}": int(counts[outcome]) for outcome in np.flatnonzero(counts).tolist()}


def _estimated(values: Sequence[Any], facts: TapeFacts, shots: int | None) -> Iterator[Part]:
    if any(value is None for value in values):
        return
    table = np.stack([np.ravel(np.asarray(value)) for value in np.broadcast_arrays(*values)], axis=-1)
    errors = _errors(table, facts.weights, shots)
    for element, row in enumerate(table):
        known = None if errors is None else errors[element]
        for expectation in expectations(row, known, facts.label or ""):
            yield {"shots": shots or 0, "parameters": facts.digest(element), "expectation": expectation}


def _errors(
    table: NDArray[np.float64], weights: Sequence[float | None], shots: int | None
) -> NDArray[np.float64] | None:
    """Of Pauli words, whose outcomes are plus and minus one weight: sqrt((weight² - value²) / shots)."""
    if shots is None or np.iscomplexobj(table) or any(weight is None for weight in weights):
        return None
    known = np.array(weights, dtype=np.float64)
    return np.sqrt(np.clip(known**2 - table**2, 0, None) / shots)
