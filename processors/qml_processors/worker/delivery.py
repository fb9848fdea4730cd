"""What a delivery engine does: it hands records and assignments over, and nothing else.

It holds no state, commits nothing that counts, and may drop or repeat what it likes: the owner of a
partition notices (`feed`). Engines run in their own thread; the owner works in the main thread. Between
them stands the `Handover`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from qml_processors.worker.handover import Handover


class RawRecord(Protocol):
    """One record of Kafka as an engine hands it over; `timestamp` in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Any


class Chunk(Struct, frozen=True, gc=False):
    """Consecutive records of one partition.

    `start`: the engine vouches that no other record lies in [start, end); None: it does not, and Kafka is
    asked about every hole. `epoch` is that of the last `seek` that the engine had carried out.
    """

    partition: int
    epoch: int
    start: int | None
    end: int
    records: Sequence[RawRecord]
    size_bytes: int


class Delivery(Protocol):
    """A delivery engine. Methods are called from the main thread."""

    def start(self, handover: Handover) -> None:
        """Begin to join the group. Does not wait; what goes wrong is told to the handover."""
        ...

    def seek(self, partition: int, offset: int, epoch: int) -> None:
        """Deliver an assigned partition from `offset` on, and say `epoch` with it. Does not wait.

        A partition delivers nothing before its first `seek` after an assignment.
        """
        ...

    def resume(self, partition: int) -> None:
        """There is room again for a partition that `Handover.deliver` said was full. Does not wait."""
        ...

    def hint(self, offsets: Mapping[int, int]) -> None:
        """Commit these next offsets to the group, for those who watch lag. Does not wait, may fail unseen."""
        ...

    def stop(self, timeout_seconds: float) -> None:
        """Leave the group, or say nothing more after the timeout. Idempotent."""
        ...
