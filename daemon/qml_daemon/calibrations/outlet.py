"""Calibrations go into the spool as any emitter's events do, with sources and ids that follow from what they say."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Raw

from quantum_mlops.codec import digest
from quantum_mlops.events import CalibrationSnapshot, Context, type_name
from quantum_mlops.sdk.packing import pack_data, pack_record
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.segment import NamedRecord, class_of, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.version import __version__

_TYPE = type_name("calibration.snapshot")


class CalibrationOutlet:
    """Writes calibrations into one spool. Not thread-safe."""

    def __init__(self, settings: Settings, nonce: str) -> None:
        self._spool = SpoolWriter(Path(settings.spool), this_process(nonce, __version__))

    def send(self, source: str, project: str, at: int, snapshots: Iterable[CalibrationSnapshot]) -> int:
        """Write the parts of one calibration as one; return how many events they are.

        After the return they survive the death of this process. `source` belongs to this calibration of this project
        alone: the parts are its events 0, 1, 2, …, so that the same calibration sent again is the same events.

        Raises:
            OSError: the spool cannot be written, or is full; nothing was written.
            ValueError: a value that no event may have.

        """
        packed = [_pack(source, project, number, at, one) for number, one in enumerate(snapshots)]
        if packed:
            self._spool.write(class_of(_TYPE), packed, time.time_ns())
        return len(packed)

    def renew(self) -> None:
        """Say that the writer lives."""
        self._spool.renew_leases()

    def close(self) -> None:
        """Seal what is open. Raises OSError where a seal cannot be written; what was sent is there all the same."""
        self._spool.close()


def _pack(source: str, project: str, number: int, at: int, snapshot: CalibrationSnapshot) -> bytes:
    record = NamedRecord(
        stream=0,
        sequence=number,
        type=_TYPE,
        time=at,
        partitionkey=snapshot.backend,
        project=project,
        context=Context(),
        data=Raw(pack_data(_TYPE, snapshot)),
        source=source,
        id=f"{number:016x}",
    )
    return pack_record(record, source)


def new_nonce() -> str:
    """Return the random name of a writer."""
    return os.urandom(6).hex()


def source_of(origin: str, project: str, facts: Sequence[str | int]) -> str:
    """Return a source that follows from these facts and belongs to one project: equal facts are equal events.

    >>> source_of("polled", "iris", ["ibm", "ibm_fez", 3]) == source_of("polled", "iris", ["ibm", "ibm_fez", 3])
    True
    """
    return f"qml://{origin}/{digest([project, *facts], 6)}/0"
