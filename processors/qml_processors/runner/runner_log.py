"""What a runner needs of a log: less than `Log`, so that the owner of some partitions can be one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from quantum_mlops.transports.base import Checkpoint, Commit, Record, Stream


class StoredLog(Protocol):
    """What a recovery reads. Every method raises `LogError` where the store fails."""

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        ...


class RunnerLog(StoredLog, Protocol):
    """What a runner uses besides."""

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        ...
