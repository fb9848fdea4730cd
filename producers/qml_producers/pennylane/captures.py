"""What is taken while a device executes: copies that the user's later changes cannot reach, and nothing computed.

Tapes and operators are never changed, but the arrays in them are the user's, and so are the results as soon as the
device returns. All else waits for the writer's thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pennylane.measurements import CountsMP, ExpectationMP, ProbabilityMP, SampleMP

from qml_producers.observing.reports import Call
from qml_producers.pennylane.providers import Target
from qml_producers.pennylane.tapes import is_readout, sweep_of
from qml_producers.pennylane.values import Plain, plain

ENTRY_BYTES = 4096  # a small tape and its share of the closure
VALUE_BYTES = 64


@dataclass(slots=True)
class CapturedTape:
    """One tape as executed: `values` are those of its operations, in order."""

    tape: Any
    values: list[Plain]
    shots: tuple[int | None, ...]
    """Shots of each copy of the result; one None where nothing is sampled."""
    sweep: int
    """For how many values of its parameters it is executed."""

    @property
    def size_bytes(self) -> int:
        """What this keeps alive, about."""
        return ENTRY_BYTES + sum(
            value.nbytes if isinstance(value, np.ndarray) else VALUE_BYTES for value in self.values
        )


class Bits(NamedTuple):
    """Samples of `wires` bits: rows of bytes, big-endian, the first wire lowest, for each element of a sweep."""

    rows: NDArray[np.uint8]
    wires: int

    @property
    def nbytes(self) -> int:
        """What this keeps alive."""
        return int(self.rows.nbytes)


@dataclass(slots=True)
class Execution:
    """One call of a device: one job."""

    job_id: str
    method: str
    target: Target
    wires: tuple[Any, ...] | None
    gradient_method: str | None
    call: Call
    tapes: list[CapturedTape] = field(default_factory=list)
    tasks: int = 1
    inner: list[str] = field(default_factory=list)
    """The ids of the provider's jobs or tasks that this call made."""
    described: list[Any] | None = None
    """What the writer's thread read of each tape."""

    @property
    def executions(self) -> int | None:
        """Tapes, each as often as its parameters are swept; None where they could not be read."""
        return sum(captured.sweep for captured in self.tapes) or None

    @property
    def shots(self) -> int:
        """The shots of all executions together; 0 where nothing is sampled."""
        return sum(captured.sweep * sum(filter(None, captured.shots)) for captured in self.tapes)


def capture_tapes(tapes: Sequence[Any]) -> list[CapturedTape]:
    """Return copies of the values of tapes."""
    return [_capture(tape) for tape in tapes]


def _capture(tape: Any) -> CapturedTape:
    values = [plain(value) for operation in tape.operations for value in operation.data]
    shots = tape.shots
    if shots.has_partitioned_shots:
        return CapturedTape(tape, values, tuple(shots), sweep_of(tape))
    return CapturedTape(tape, values, (shots.total_shots,), sweep_of(tape))


def capture_result(captured: CapturedTape, result: Any) -> list[list[Any]]:
    """Return copies of what a tape measured: for each copy of its shots, for each measurement.

    An entry is a dict of counts, `Bits`, an array of probabilities, or an expectation value; None is not told.
    """
    copies = [result] if len(captured.shots) == 1 else result
    measurements = captured.tape.measurements
    return [
        [
            _copy(measurement, each, shots)
            for measurement, each in zip(measurements, (copied,) if len(measurements) == 1 else copied, strict=True)
        ]
        for copied, shots in zip(copies, captured.shots, strict=True)
    ]


def _copy(measurement: Any, result: Any, shots: int | None) -> Any:
    if isinstance(measurement, ExpectationMP):
        return plain(result)
    if shots is None or not is_readout(measurement):
        return None
    if isinstance(measurement, CountsMP):
        return dict(result) if isinstance(result, dict) else [dict(each) for each in result]
    if isinstance(measurement, SampleMP):
        return _packed(np.asarray(result), measurement, shots)
    if isinstance(measurement, ProbabilityMP):
        found = plain(result)
        return found if isinstance(found, np.ndarray) else None
    return None


def _packed(result: NDArray[Any], measurement: Any, shots: int) -> "Bits":
    """One bit a measured bit; the caller's array may have eight bytes for each."""
    wires = len(measurement.wires) or (result.shape[-1] if result.ndim > 1 else 1)
    samples = result.reshape(-1, shots, wires).astype(np.uint8)
    rows = np.packbits(samples, axis=-1, bitorder="little")
    return Bits(np.ascontiguousarray(rows[..., ::-1]), wires)


def result_bytes(results: Sequence[Sequence[Sequence[Any]]]) -> int:
    """Return what captured results keep alive, about."""
    return sum(
        each.nbytes
        if isinstance(each, (np.ndarray, Bits))
        else VALUE_BYTES * (len(each) if isinstance(each, dict) else 1)
        for copies in results
        for measured in copies
        for each in measured
    )
