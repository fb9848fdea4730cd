"""Writing records by partition, in pieces; what a transfer that was interrupted has written already is passed over."""

from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")
_PIECE = 500


class Pieces(Generic[_T]):
    """Collects what goes to each partition, and hands it to `write(partition, items, count)` in pieces.

    Args:
        written: how many of each partition's items are there already.
        write: stores a piece; `count` is how many are there afterwards.

    """

    def __init__(self, written: list[int], write: Callable[[int, list[_T], int], None]) -> None:
        self._skip = written
        self._write = write
        self._waiting: list[list[_T]] = [[] for _ in written]
        self.counts = [0] * len(written)

    def add(self, partition: int, item: _T) -> None:
        """Add one, and write where a piece is full."""
        self.counts[partition] += 1
        if self.counts[partition] <= self._skip[partition]:
            return
        self._waiting[partition].append(item)
        if len(self._waiting[partition]) >= _PIECE:
            self._flush(partition)

    def flush(self) -> None:
        """Write what waits."""
        for partition in range(len(self._waiting)):
            self._flush(partition)

    def _flush(self, partition: int) -> None:
        if self._waiting[partition]:
            self._write(partition, self._waiting[partition], self.counts[partition])
            self._waiting[partition] = []
