"""Timers: what is due next, in the order (due, processor, partitionkey, key).

A heap with one live entry a series. An entry that moved later is pushed again only when it comes to
the top, so a timer that every event moves costs the hot loop nothing.
"""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush, heapreplace

from qml_processors.runner.series import Series, Slot

_SPARE_ENTRIES = 1000
Entry = tuple[int, str, str, str]


class Timers:
    """The timer heap of one partition. `heap[0][0]` is a lower bound of what is due next."""

    def __init__(self, slots: Mapping[str, Slot]) -> None:
        self.heap: list[Entry] = []
        self._slots = slots
        self._stale = 0

    def arm(self, series: Series, due: int | None) -> None:
        """Set when the series is due; None: not at all."""
        series.due = due
        if due is not None and (series.entry is None or due < series.entry):
            self.push(series, due)

    def push(self, series: Series, due: int) -> None:
        """Add an entry before the one that the series has."""
        if series.entry is not None:
            self._stale += 1
            if self._stale > _SPARE_ENTRIES + len(self.heap) // 2:
                self._compact()
        series.entry = due
        heappush(self.heap, (due, series.slot.name, series.partitionkey, series.key))

    def peek(self) -> Series | None:
        """Return the series that is due first, or None; its `due` says when."""
        heap = self.heap
        while heap:
            entry, name, partitionkey, key = heap[0]
            series = self._slots[name].series.get((partitionkey, key))
            if series is None or series.entry != entry:
                heappop(heap)
            elif series.due is None:
                heappop(heap)
                series.entry = None
            elif series.due > entry:
                heapreplace(heap, (series.due, name, partitionkey, key))
                series.entry = series.due
            else:
                return series
        return None

    def pop(self, series: Series) -> None:
        """Remove the entry of the series that `peek` returned."""
        heappop(self.heap)
        series.entry = None
        series.due = None

    def _compact(self) -> None:
        live = {
            entry
            for entry in self.heap
            if (series := self._slots[entry[1]].series.get((entry[2], entry[3]))) is not None
            and series.entry == entry[0]
        }
        self.heap[:] = live
        heapify(self.heap)
        self._stale = 0
