"""What a runner needs of a log: less than `Log`, so that the owner of some partitions can be one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from quantum_mlops.transports.base import Checkpoint, Commit, Record, Stream


class HomeLog(Protocol):
    """The part of `Log` that a runner uses. Every method raises `LogError` where the store fails."""

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """See `Log.read`."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """See `Log.end`."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """See `Log.start`."""
        ...

    def commit(self, partition: int, commit: Commit) -> None:
        """See `Log.commit`."""
        ...

    def checkpoint(self, partition: int) -> Checkpoint:
        """See `Log.checkpoint`."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """See `Log.cursor`."""
        ...

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """See `Log.move_cursors`."""
        ...
