"""Which log the stored alerts and positions come from.

Offsets alone do not tell: after a power loss the same log may end before what was read of it, and
what was lost is found again. Another log at the same place has findings that have nothing to do
with what is stored; unless it was filled from the one before (`quantum-mlops kafka import`): then its
cursors say where to go on, and all alerts and groups stay.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from qml_daemon.delivery.store import OutboxStore
from qml_processors.transfer import ORIGIN
from quantum_mlops.transports.base import Record, Stream

LOG_ID = "log-id"
READER = "dispatcher"
"""A cursor `dispatcher/findings/<partition>` is kept for retention."""
_ID_BYTES = 16


class FindingLog(Protocol):
    """What the dispatcher needs of a log; see `Log`."""

    partitions: int

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        ...


def settle_origin(log: FindingLog, store: OutboxStore) -> dict[int, int]:
    """Return the positions that hold for this log, and store them; of another log all is forgotten. Idempotent.

    Raises:
        LogError: the log or the outbox failed.

    """
    here, known = log.cursor(LOG_ID), store.read_origin()
    if here is None:
        here = os.urandom(_ID_BYTES)
        log.move_cursors({LOG_ID: here})
    if known is not None and known != here and log.cursor(ORIGIN) == known:
        return _move_home(log, store, here)
    positions = store.read_positions()
    ends = {partition: log.end(Stream.FINDINGS, partition) for partition in range(log.partitions)}
    beyond = [partition for partition, at in positions.items() if at > ends.get(partition, at)]
    if known == here and not beyond:
        return positions
    with store.transaction():
        # An outbox of a version that kept no id: only its positions can tell.
        if beyond if known is None else known != here:
            store.clear()
            positions, beyond = {}, []
        for partition in beyond:
            positions[partition] = ends[partition]
            store.move(partition, ends[partition])
        store.put_origin(here)
    return positions


def _move_home(log: FindingLog, store: OutboxStore, here: bytes) -> dict[int, int]:
    """Go on in a log that was filled from the one before, at the cursors that it was given."""
    names = {partition: f"{READER}/{Stream.FINDINGS}/{partition}" for partition in range(log.partitions)}
    positions = {partition: int.from_bytes(log.cursor(name) or b"", "big") for partition, name in names.items()}
    with store.transaction():
        for partition in store.read_positions().keys() | positions:
            store.move(partition, positions.get(partition, 0))
        store.put_origin(here)
    return positions
