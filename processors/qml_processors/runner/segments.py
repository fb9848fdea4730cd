"""Segments: the checkpoint's rows of series and sources, packed in the order in which they were written.

A commit appends all its rows as one segment. Single rows at random keys would touch a page of the store
each; with 100,000 series that is megabytes a commit. A newer row of the same key hides an older one, so
segments go strictly oldest first, when nothing in them is live any more. Where too much is hidden,
the oldest segment's live rows are written again.
"""

from collections.abc import Sequence

from qml_processors.runner.duplicates import Source
from qml_processors.runner.series import Series

Entry = Series | Source
SPARE_ROWS = 1000
"""Hidden rows beyond the live ones that are not worth writing anything again."""


class Segments:
    """Which entry's row lies in which segment."""

    def __init__(self) -> None:
        self._members: dict[int, list[Entry]] = {}
        self._sizes: dict[int, int] = {}
        self._live: dict[int, int] = {}
        self._next = 0
        self._rows = 0
        self._alive = 0

    def restore(self, number: int, size: int) -> None:
        """Take a stored segment of `size` rows; its live entries follow by `keep`."""
        self._members[number] = []
        self._sizes[number] = size
        self._live[number] = 0
        self._rows += size
        self._next = max(self._next, number + 1)

    def keep(self, number: int, entry: Entry) -> None:
        """Say that the row of `entry` in a restored segment is its newest."""
        entry.segment = number
        self._members[number].append(entry)
        self._live[number] += 1
        self._alive += 1

    def add(self, entries: list[Entry]) -> int:
        """Place the rows of `entries` in a new segment and return its number."""
        number = self._next
        self.restore(number, len(entries))
        for entry in entries:
            self.drop(entry)
            self.keep(number, entry)
        return number

    def drop(self, entry: Entry) -> None:
        """Say that the row of `entry` is no longer needed."""
        if entry.segment >= 0:
            self._live[entry.segment] -= 1
            self._alive -= 1
            entry.segment = -1

    def worn(self) -> Sequence[Entry]:
        """Return the clean entries of the oldest segment where too many rows are hidden, else nothing."""
        if self._rows <= 2 * self._alive + SPARE_ROWS:
            return ()
        number = next(iter(self._members))
        return [entry for entry in self._members[number] if entry.segment == number and entry.since is None]

    def all_clean(self) -> Sequence[Entry]:
        """Return every clean entry that has a row."""
        return [
            entry
            for number, members in self._members.items()
            for entry in members
            if entry.segment == number and entry.since is None
        ]

    def retire(self) -> list[int]:
        """Remove and return the oldest segments in which nothing is live."""
        gone = []
        for number, live in self._live.items():
            if live:
                break
            gone.append(number)
        for number in gone:
            self._rows -= self._sizes.pop(number)
            del self._members[number], self._live[number]
        return gone
