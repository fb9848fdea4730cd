"""Offsets of dropped records, as ranges: a replay must drop exactly those again."""

from bisect import bisect_right
from collections.abc import Iterable


class OffsetRanges:
    """Ascending, inclusive ranges. Every existing record within a range was dropped.

    >>> dropped = OffsetRanges()
    >>> dropped.add(5, 4); dropped.add(9, 5); dropped.add(20, 12)
    >>> dropped.ranges(), 9 in dropped, 12 in dropped
    ([(5, 9), (20, 20)], True, False)
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, high in ranges:
            self._lows.append(low)
            self._highs.append(high)

    def add(self, offset: int, previous: int) -> None:
        """Add the record at `offset`; `previous` is the offset of the record before it."""
        if self._highs and self._highs[-1] == previous:
            self._highs[-1] = offset
        else:
            self._lows.append(offset)
            self._highs.append(offset)

    def prune(self, start: int) -> None:
        """Forget what lies before `start`."""
        keep = bisect_right(self._highs, start - 1)
        if keep:
            del self._lows[:keep], self._highs[:keep]

    def ranges(self) -> list[tuple[int, int]]:
        """Return all ranges."""
        return list(zip(self._lows, self._highs, strict=True))

    def __contains__(self, offset: int) -> bool:
        place = bisect_right(self._lows, offset) - 1
        return place >= 0 and offset <= self._highs[place]
