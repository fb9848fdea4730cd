"""What one drift series remembers."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct, field

from quantum_mlops.events import CalibrationColumn
from quantum_mlops.stats import Cusum, Epochs, Histogram

EVIDENCE_KEPT = 16
_decode_columns = msgspec.msgpack.Decoder(list[CalibrationColumn]).decode


class Suspects(Struct, gc=False):
    """Observations that the chart has doubts about: pooled apart from the reference until it knows.

    `evidence` holds the newest 16 events as (source, id).
    """

    pool: Histogram = field(default_factory=Histogram)
    evidence: list[tuple[str, str]] = field(default_factory=list)

    def add(self, counts: dict[str, int], rest: int, key: tuple[str, str]) -> None:
        """Pool one observation."""
        self.pool.add(counts, rest)
        self.evidence.append(key)
        del self.evidence[:-EVIDENCE_KEPT]


def pack_columns(columns: Sequence[CalibrationColumn]) -> bytes:
    """Return calibration columns as a state keeps them."""
    return msgspec.msgpack.encode(columns)


def unpack_columns(raw: bytes) -> list[CalibrationColumn]:
    """Return the columns that `pack_columns` took; none for empty bytes."""
    return _decode_columns(raw) if raw else []


class DriftState(Struct, gc=False):
    """One reference execution: same circuit, parameters and physical qubits.

    Attributes:
        reference: Pooled observations in control; frozen while a finding is open or at 500.
        chart: While nothing is open the chart that opens, afterwards the one that closes.
        suspects: Observations since the chart's arm left zero, or since the finding opened or was updated.
        epochs: What recalibrations have shown so far.
        open: Whether a finding is open.
        calm: Calibration id of the last observation in control.
        current: Calibration id of the last observation.
        values: Calibration values received for `current` as msgpack; empty where they were not. Bytes, since the
            two fields often hold the same and a state has no aliases.
        calm_values: Those of `calm`.
        update_due: Whether the device was recalibrated while open and the finding has not said so yet.
        seen: When the last observation was appended to the log, nanoseconds.
        uncharted: Observations that could not be compared (too few shots for their outcomes).

    """

    reference: Histogram = field(default_factory=Histogram)
    chart: Cusum = field(default_factory=Cusum)
    suspects: Suspects = field(default_factory=Suspects)
    epochs: Epochs = field(default_factory=Epochs)
    open: bool = False
    calm: str = ""
    current: str = ""
    values: bytes = b""
    calm_values: bytes = b""
    update_due: bool = False
    seen: int | None = None
    uncharted: int = 0
