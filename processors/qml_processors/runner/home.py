"""One partition in this process: its log, its rolling checkpoint, its attempts."""

import time
from collections.abc import Callable
from math import inf

from msgspec import Struct

from qml_processors.runner.attempts import Attempts
from qml_processors.runner.checkpoint import RollingCheckpoint
from qml_processors.runner.counts import PartitionStats
from qml_processors.runner.partition import Partition
from qml_processors.runner.position import next_offset
from qml_processors.runner.recovery import recover, report_loss
from qml_processors.runner.runner_log import RunnerLog
from quantum_mlops.clock import SECOND
from quantum_mlops.transports.base import Stream

_CLOSING_ROWS = 5000


class RunnerConfig(Struct, frozen=True, kw_only=True):
    """How a runner paces itself; none of it changes what is found.

    A recovery replays about `checkpoint_seconds`; each commit writes at least `checkpoint_rows` dirty
    rows. After `unclean_ends` process ends at one watermark it steps singly for `single_steps` steps; a
    step at which the process then ends as often again is given up.
    `accept_loss`: a log that no longer holds what is needed opens a DataLoss finding, instead of giving the
    partition up: for a log whose retention is not ours. `clock` is monotonic, in nanoseconds.
    """

    checkpoint_seconds: float = 2.0
    checkpoint_rows: int = 50
    unclean_ends: int = 3
    single_steps: int = 500
    accept_loss: bool = False
    clock: Callable[[], int] = time.monotonic_ns


class Home:
    """A partition with what reads and commits for it."""

    def __init__(self, log: RunnerLog, partition: Partition, config: RunnerConfig) -> None:
        self.partition = partition
        self._log = log
        self._config = config
        self._rolling = RollingCheckpoint(partition, config.checkpoint_seconds, config.checkpoint_rows, config.clock)
        self._attempts = Attempts(log, partition.number)
        self._watermark: bytes | None = None
        self._unclean: int | None = None  # before the first batch: earlier unclean ends at this watermark
        self._single = 0  # steps still to be taken singly
        self._mismatches = 0
        self._recovery_seconds = 0.0

    def open(self, *, first: bool) -> None:
        """Recover. `first`: the first time in this process, so that unclean ends are counted.

        Raises:
            StateTooNewError: a newer version wrote the states.

        """
        started = self._config.clock()
        self._watermark = self._log.checkpoint(self.partition.number).watermark
        self._mismatches = recover(self._log, self.partition, self._rolling, accept_loss=self._config.accept_loss)
        if first:
            self._unclean = self._attempts.ends(self._watermark)
            if self._unclean >= self._config.unclean_ends:
                self._single = self._config.single_steps
                self.partition.kill_next = self._unclean >= 2 * self._config.unclean_ends
        if self.partition.counts.losses:
            self.checkpoint(inf)  # what a replay can no longer rebuild
        elif self.partition.outputs.waiting or self._rolling.rewrite:
            self._commit()
        self._recovery_seconds = (self._config.clock() - started) / SECOND

    def process_batch(self, limit: int) -> int:
        """Take up to `limit` steps and commit them; return how many."""
        partition = self.partition
        if self._single:
            limit = 1
        start = self._log.start(Stream.EVENTS, partition.number)
        offset = partition.next_offset(start)
        if self._config.accept_loss and partition.position is not None:
            report_loss(partition, next_offset(partition.position), start)
        records = self._log.read(Stream.EVENTS, partition.number, offset, limit)
        if not records:
            return self._settle()
        self._announce()
        self._rolling.begin(offset)
        done = partition.process(records, limit)
        if self._single:
            self._single -= 1
        partition.counts.batches += 1
        self._commit()
        return done

    def stats(self) -> PartitionStats:
        """Return counts and positions."""
        partition = self.partition
        offset = 0 if partition.position is None else next_offset(partition.position)
        end = self._log.end(Stream.EVENTS, partition.number)
        return PartitionStats(
            partition=partition.number,
            now=partition.now,
            offset=offset,
            lag=max(0, end - max(offset, self._log.start(Stream.EVENTS, partition.number))),
            replay_start=self._rolling.replay_offset,
            series=sum(len(slot.series) for slot in partition.slots.values()),
            sources=len(partition.sources) + len(partition.foreign),
            dirty=len(partition.dirty),
            timers=len(partition.timers.heap),
            open_findings=len(partition.outputs.index),
            mismatches=self._mismatches,
            recovery_seconds=self._recovery_seconds,
            counts=partition.counts,
        )

    def close(self, seconds: float = inf) -> None:
        """Write every dirty row, in pieces and for about `seconds`, and forget the attempt."""
        self.checkpoint(seconds)
        self._attempts.forget()

    def checkpoint(self, seconds: float) -> None:
        """Write dirty rows, in pieces and for about `seconds`."""
        started = self._config.clock()
        while self.partition.dirty or self.partition.outputs.waiting:
            if not self._commit(_CLOSING_ROWS) or self._config.clock() - started >= seconds * SECOND:
                break

    def _announce(self) -> None:
        """Mark the attempt: once before the first batch, and before each single step."""
        if self._unclean is not None:
            self._attempts.mark(self._watermark, self._unclean + 1)
        elif self._single:
            self._attempts.mark(self._watermark, self._config.unclean_ends + 1)
        self._unclean = None

    def _settle(self) -> int:
        """Idle: go on writing dirty rows, so that a quiet log needs no replay."""
        if self.partition.dirty:
            self._commit()
        return 0

    def _commit(self, rows: int | None = None) -> bool:
        commit = self._rolling.commit(rows)
        if commit is None:
            return False
        self._log.commit(self.partition.number, commit)
        self._watermark = commit.watermark
        counts = self.partition.counts
        counts.findings += len(commit.findings)
        counts.summaries += len(commit.summaries)
        counts.dead_letters += len(commit.dead_letters)
        self.partition.outputs.clear()
        return True
