"""What the owner of partitions needs of Kafka: fenced transactions, states, and any committed record.

`kafka_store` has it; tests have their own. What ends later is a future, so that a commit may run while the next
batch is processed.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from quantum_mlops.transports.base import Checkpoint, Commit, Record

Bounds = tuple[int, int]
"""The first offset kept and the end (the last stable offset) of a partition's events."""


class Store(Protocol):
    """Called from the main thread. A future's exception is a `LogError`, `LogFencedError` where another owns now."""

    partitions: int

    def open(self, partition: int) -> "Future[Checkpoint]":
        """Fence who owned the partition, abort what it left half done, then read the states."""
        ...

    def commit(self, partition: int, commit: Commit) -> "Future[None]":
        """Store a commit in one transaction. At most one a partition may be under way."""
        ...

    def release(self, partition: int) -> None:
        """Close what `open` opened; nothing is written. Does not wait."""
        ...

    def read(self, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Return committed events at or after `offset`, not by way of the delivery; blocks.

        Raises:
            LogError: the broker fails.

        """
        ...

    def first(self, partition: int, offset: int) -> int | None:
        """Return the offset of the first committed event at or after `offset`, None at the end; blocks.

        Raises:
            LogError: the broker fails.

        """
        ...

    def bounds(self, partitions: Collection[int]) -> "Future[Mapping[int, Bounds]]":
        """Return where the events of these partitions start and end."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def move_cursors(self, cursors: Mapping[str, bytes | None], timeout_seconds: float | None = None) -> None:
        """See `Log.move_cursors`; waits for at most `timeout_seconds`, None: as long as for anything else."""
        ...
