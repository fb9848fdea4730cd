"""From results to the contract's structs: what a tape measured.

PennyLane writes the first wire leftmost; in events the first measured bit is bit 0, the rightmost, as in Qiskit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pennylane.measurements import CountsMP, ExpectationMP, SampleMP

from qml_producers.observing.outcomes import Rows, pack
from qml_producers.pennylane.captures import CapturedTape
from qml_producers.pennylane.circuits import TapeFacts
from qml_producers.qiskit.expectations import expectations
from quantum_mlops.events import Outcomes, Register

Part = dict[str, Any]  # the fields of one event

_REGISTER = "meas"
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
                for rows, bits in _readouts(measurement, result, shots):
                    yield _sampled(rows, bits)
        if values and facts.label is not None:
            yield from _estimated(values, facts, shots)


def _sampled(rows: Rows, bits: int) -> Part:
    packed = pack(rows, bits)
    kind = "outcomes" if isinstance(packed, Outcomes) else "statistics"
    return {"registers": [Register(name=_REGISTER, bits=bits)], "shots": len(rows), kind: packed}


def _readouts(measurement: Any, result: Any, shots: int) -> Iterator[tuple[Rows, int]]:
    """Yield (rows, bits): once, or for each element of a sweep of parameters."""
    if isinstance(measurement, CountsMP):
        for counts in [result] if isinstance(result, dict) else result:
            yield _rows_of_counts(counts)
    elif isinstance(measurement, SampleMP):
        wires = len(measurement.wires) or (result.shape[-1] if result.ndim > 1 else 1)
        for samples in result.reshape(-1, shots, wires):
            yield _packed(samples), wires
    else:
        bits = result.shape[-1].bit_length() - 1
        for frequencies in result.reshape(-1, result.shape[-1]):
            rows = _rows_of_frequencies(frequencies, bits, shots)
            if rows is not None:
                yield rows, bits


def _packed(bits: NDArray[Any]) -> Rows:
    """Rows of bits, first wire first, as bytes with the first wire lowest."""
    turned = bits[:, ::-1].astype(np.uint8, copy=False)
    return np.packbits(np.pad(turned, ((0, 0), (-turned.shape[1] % 8, 0))), axis=1)


def _rows_of_counts(counts: Mapping[str, Any]) -> tuple[Rows, int]:
    width = len(next(iter(counts), ""))
    keys = [[int(character) for character in key] for key in counts]
    rows = _packed(np.array(keys, np.uint8).reshape(len(keys), width))
    return np.repeat(rows, [int(count) for count in counts.values()], axis=0), width


def _rows_of_frequencies(frequencies: NDArray[np.float64], bits: int, shots: int) -> Rows | None:
    """None where these are no frequencies of so many shots: a service may round, a device may mitigate."""
    if bits > _MOST_PROBABILITY_BITS:
        return None
    counts = np.rint(frequencies * shots)
    if (
        np.any(np.abs(frequencies * shots - counts) > _NEAR * max(shots, 1))
        or counts.sum() != shots
        or counts.min() < 0
    ):
        return None
    seen = np.flatnonzero(counts)
    columns = (seen[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.repeat(_packed(columns), counts[seen].astype(np.int64), axis=0)


def _estimated(values: Sequence[Any], facts: TapeFacts, shots: int | None) -> Iterator[Part]:
    if any(value is None for value in values):
        return
    table = np.stack([np.ravel(np.asarray(value)) for value in np.broadcast_arrays(*values)], axis=-1)
    errors = _errors(table, facts.weights, shots)
    for row, known in zip(table, [None] * len(table) if errors is None else errors, strict=True):
        for expectation in expectations(row, known, facts.label or ""):
            yield {"shots": shots or 0, "expectation": expectation}


def _errors(
    table: NDArray[np.float64], weights: Sequence[float | None], shots: int | None
) -> NDArray[np.float64] | None:
    """Of Pauli words, whose outcomes are plus and minus one weight: sqrt((weight² - value²) / shots)."""
    if shots is None or np.iscomplexobj(table) or any(weight is None for weight in weights):
        return None
    known = np.array(weights, dtype=np.float64)
    return np.sqrt(np.clip(known**2 - table**2, 0, None) / shots)
