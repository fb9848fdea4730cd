"""What the follower tells goes into the spool, as that of any emitter, under sources and ids of its own."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Raw

from qml_producers.following.followed import FollowedJob
from qml_producers.following.tellings import Telling
from quantum_mlops.events import Event, type_name
from quantum_mlops.sdk.packing import pack_data, pack_record
from quantum_mlops.spool.segment import NamedRecord, SpoolClass, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.version import __version__

_ERRORS = (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)


class Outlet:
    """Writes events to one spool. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._spool = SpoolWriter(folder, this_process(os.urandom(6).hex(), __version__))
        self._number = 0

    def send(self, job: FollowedJob, tellings: Sequence[Telling], now: int) -> tuple[list[Event], list[str]]:
        """Write events of a job; return those that are safe, and why others are none that the log would take.

        Raises:
            OSError: the spool cannot be written, or is full; nothing was written.

        """
        packed: list[bytes] = []
        events: list[Event] = []
        refused: list[str] = []
        for one in tellings:
            try:
                packed.append(self._pack(job, one, now, len(packed)))
                events.append(_event(job, one, now))
            except _ERRORS as error:
                refused.append(f"{one.kind} of {job.job.job_id}: {str(error)[:300] or type(error).__name__}")
        if packed:
            self._spool.write(SpoolClass.LIFECYCLE, packed, now)
            self._number += len(packed)
        return events, refused

    def renew(self) -> None:
        """Say that the writer lives."""
        self._spool.renew_leases()

    def close(self) -> None:
        """Seal what is open. Raises OSError where a seal cannot be written; what was sent is there all the same."""
        self._spool.close()

    def _pack(self, job: FollowedJob, one: Telling, now: int, place: int) -> bytes:
        name = type_name(one.kind)
        record = NamedRecord(
            0,
            self._number + place,
            name,
            now,
            job.partitionkey,
            job.project,
            job.context,
            Raw(pack_data(name, one.data)),
            one.source,
            one.id,
        )
        return pack_record(record, one.source)


def _event(job: FollowedJob, one: Telling, now: int) -> Event:
    return Event(
        id=one.id,
        source=one.source,
        type=type_name(one.kind),
        time=now,
        partitionkey=job.partitionkey,
        project=job.project,
        context=job.context,
        data=one.data,
    )
