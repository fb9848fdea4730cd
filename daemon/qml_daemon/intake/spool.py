"""The segments of one spool folder: which are there, whose turn it is, and which may be ended."""

from collections import defaultdict
from collections.abc import Container, Iterator
from pathlib import Path

from qml_daemon.intake.adoption import HostFacts, Lease, is_writer_gone
from qml_daemon.intake.folder import SeenSegment
from qml_daemon.intake.segment import FollowedSegment, SegmentCursor
from quantum_mlops.spool.segment import SpoolClass


class Spool:
    """Follows the segments of a folder. Does no IO but reading headers.

    A writer numbers its segments; of each writer and class only the first that is not done is read, so that
    the order of its events is kept.
    """

    def __init__(self, folder: Path, facts: HostFacts) -> None:
        self._folder = folder
        self._facts = facts
        self._segments: dict[str, FollowedSegment] = {}
        self._last: dict[tuple[str, SpoolClass], int] = {}

    def __iter__(self) -> Iterator[FollowedSegment]:
        return iter(self._segments.values())

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def lag_bytes(self) -> int:
        """How many bytes the log does not have yet, as of the last look into the folder."""
        return sum(segment.lag_bytes for segment in self)

    def update(self, seen: dict[str, SeenSegment], cursors: dict[str, SegmentCursor], now: int) -> None:
        """Take note of what is in the folder; segments that vanished are let go."""
        for name in self._segments.keys() - seen.keys():
            self._segments.pop(name).close()
        for name, found in seen.items():
            segment = self._segments.get(name)
            if segment is None:
                lease = Lease(found.modified, now)
                segment = FollowedSegment(self._folder / name, found.name, lease, cursors.get(name, SegmentCursor()))
                self._segments[name] = segment
            segment.size = found.size
            segment.lease.see(found.modified, now)
        self._last = {}
        for segment in self:
            writer = segment.writer
            self._last[writer] = max(segment.name.number, self._last.get(writer, 0))

    def heads(self, spool_class: SpoolClass, turn: int, without: Container[str]) -> list[FollowedSegment]:
        """Return the segments of a class to read now, one a writer, beginning with another writer each turn.

        Those named in `without` are passed over.
        """
        writers: dict[str, list[FollowedSegment]] = defaultdict(list)
        for segment in self:
            if segment.name.spool_class is spool_class and not segment.cursor.done and segment.path.name not in without:
                writers[segment.name.nonce].append(segment)
        heads = [min(segments, key=lambda segment: segment.name.number) for _, segments in sorted(writers.items())]
        first = turn % len(heads) if heads else 0
        return heads[first:] + heads[:first]

    def is_rotated(self, segment: FollowedSegment) -> bool:
        """Return whether its writer went on to a later segment."""
        return segment.name.number < self._last[segment.writer]

    def is_final(self, segment: FollowedSegment, now: int) -> bool:
        """Return whether nothing will follow in `segment`. Raises OSError where its header cannot be read."""
        if self.is_rotated(segment):
            return True
        return is_writer_gone(segment.identify(), self._facts, segment.lease, now)
