"""The rolling checkpoint: each commit also writes the rows that have been dirty the longest.

A replay starts before the oldest change that no row holds, so it stays about `seconds` behind, and no
commit ever writes everything. A row that goes is a tombstone until the replay start has passed it.
"""

from collections import deque
from collections.abc import Callable

from qml_processors.runner import failure, rows, watermark
from qml_processors.runner.cause import Cause
from qml_processors.runner.partition import Partition
from qml_processors.runner.position import EVENT, Position
from qml_processors.runner.segments import Entry, Segments
from qml_processors.runner.series import Series
from quantum_mlops.clock import DAY, SECOND
from quantum_mlops.transports.base import Commit

_SLICES = 50
"""However long ago the last commit was, one commit writes at most this part of what is dirty."""
_SEGMENT_BYTES = 256 * 1024
"""A segment ends with the row that reaches this: a row of a store has a limit of its own."""


class RollingCheckpoint:
    """Builds the commits of one partition. `clock` (nanoseconds) paces it and decides no output."""

    def __init__(self, partition: Partition, seconds: float, least_rows: int, clock: Callable[[], int]) -> None:
        self.partition = partition
        self.replay_offset = 0
        self.replay_now = 0
        self._window = round(seconds * SECOND)
        self._least_rows = least_rows
        self._clock = clock
        self._committed = clock()
        self._starts: deque[tuple[int, int]] = deque()
        self._passing: deque[tuple[int, Series]] = deque()
        self._purge_at = 0
        self.segments = Segments()
        self.rewrite = False  # once: rows of processors that are gone lie among the others

    def begin(self, offset: int) -> None:
        """Start a batch whose first record is at `offset`: its changes are unwritten from there."""
        partition = self.partition
        now = partition.previous if partition.inside >= 0 else partition.now
        partition.batch_offset = offset
        if not self._starts or self._starts[-1][0] < offset:
            self._starts.append((offset, now))

    def bury(self, at: int, series: Series) -> None:
        """Note a tombstone row at offset `at`: it goes when the replay start has passed it."""
        series.buried = at
        self._passing.append((at, series))

    def commit(self, limit: int | None = None) -> Commit | None:
        """Return what the batch derived and its rows; None before the first record.

        `limit` overrides how many dirty rows are written.
        """
        partition = self.partition
        position = partition.position
        if position is None:
            return None
        changed: dict[bytes, bytes | None] = {}
        self._write(changed, self._quota() if limit is None else limit, position)
        for config in partition.schedule.unsaved:
            changed[rows.config_key(config)] = rows.encode(config)
        partition.schedule.unsaved.clear()
        self._advance(position)
        self._sweep(changed)
        outputs = partition.outputs
        for key, finding in outputs.changed.items():
            changed[rows.open_key(key)] = None if finding is None else rows.encode(finding)
        partition.dropped.prune(self.replay_offset)
        partition.killed = [killed for killed in partition.killed if killed[0] >= self.replay_offset]
        return Commit(
            findings=outputs.findings,
            summaries=outputs.summaries,
            dead_letters=outputs.dead_letters,
            forwards=outputs.forwards,
            watermark=watermark.encode(
                watermark.Watermark(
                    position,
                    partition.now,
                    partition.previous,
                    self.replay_offset,
                    self.replay_now,
                    partition.dropped.ranges(),
                    partition.killed,
                )
            ),
            rows=changed,
            replay_start=self.replay_offset,
        )

    def _quota(self) -> int:
        now = self._clock()
        since, self._committed = min(now - self._committed, self._window // _SLICES), now
        return max(self._least_rows, len(self.partition.dirty) * since // self._window)

    def _write(self, changed: dict[bytes, bytes | None], quota: int, position: Position) -> None:
        dirty = self.partition.dirty
        entries: list[Entry] = [dirty.popleft() for _ in range(min(quota, len(dirty)))]
        entries += self.segments.all_clean() if self.rewrite else self.segments.worn()
        self.rewrite = False
        packed: list[tuple[bytes, bytes]] = []
        first = size = 0
        for index, entry in enumerate(entries, 1):
            packed.append(self._pack(entry, position))
            size += len(packed[-1][1])
            if size >= _SEGMENT_BYTES or index == len(entries):
                changed[rows.segment_key(self.segments.add(entries[first:index]))] = rows.encode(packed)
                packed, first, size = [], index, 0

    def _pack(self, entry: Entry, position: Position) -> tuple[bytes, bytes]:
        entry.since = None
        if not isinstance(entry, Series):
            return rows.source_key(entry), rows.source_row(entry, position[0])
        row = self._row(entry, position)
        if entry.gone:
            self.bury(position[0], entry)
        return rows.series_key(entry), row

    def _row(self, series: Series, position: Position) -> bytes:
        try:
            return rows.series_row(series, position)
        except Exception as error:  # noqa: BLE001 - a state that msgpack refuses: the processor's error, counted
            config = self.partition.schedule.current
            now = self.partition.now
            cause = Cause(now, series.source, series.id, series.late, config)
            failure.fail(self.partition, series, cause, error)
            return rows.series_row(series, position)

    def _advance(self, position: Position) -> None:
        partition, starts = self.partition, self._starts
        oldest = partition.dirty[0].since if partition.dirty else partition.batch_offset
        while oldest is not None and len(starts) > 1 and starts[1][0] <= oldest:
            starts.popleft()
        if partition.dirty:
            self.replay_offset, self.replay_now = starts[0]
        elif position[2] == EVENT:
            self.replay_offset, self.replay_now = position[0] + 1, partition.now
        else:
            self.replay_offset, self.replay_now = position[0], partition.previous

    def _sweep(self, changed: dict[bytes, bytes | None]) -> None:
        partition = self.partition
        while self._passing and self._passing[0][0] < self.replay_offset:
            at, series = self._passing.popleft()
            if series.gone and series.since is None and series.buried == at:
                self.segments.drop(series)
                partition.routes.drop(series)
                series.slot.series.pop((series.partitionkey, series.key), None)
        for config in partition.schedule.prune(self.replay_now):
            changed[rows.config_key(config)] = None
        if partition.now >= self._purge_at:
            self._purge_at = partition.now + DAY
            for sources in (partition.sources, partition.foreign):
                for source in [s for s in sources.values() if s.since is None and s.expired(partition.now)]:
                    self.segments.drop(source)
                    del sources[source.key]
        for number in self.segments.retire():
            changed[rows.segment_key(number)] = None
