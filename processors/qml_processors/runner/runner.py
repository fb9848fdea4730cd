"""The runner over a log: read a batch, take its steps, commit all that follows from it at once.

Same code in both homes, embedded and Kafka; only the log's `commit` differs. One thread at a time.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from qml_processors.base import Processor
from qml_processors.runner import canonical
from qml_processors.runner.attempts import Attempts
from qml_processors.runner.checkpoint import RollingCheckpoint
from qml_processors.runner.clock_jump import ClockJumpProcessor
from qml_processors.runner.counts import Counts, PartitionStats, RunnerStats
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.partition import Partition
from qml_processors.runner.position import next_offset
from qml_processors.runner.recovery import UnrecoverableError, recover
from qml_processors.runner.rules_schedule import Config
from qml_processors.runner.series import OpenFinding, Slot
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.transports.base import Log, Stream

_CLOSING_ROWS = 5000


class RunnerConfig(Struct, frozen=True, kw_only=True):
    """How a runner paces itself; none of it changes what is found.

    A recovery replays about `checkpoint_seconds`; each commit writes at least `checkpoint_rows` dirty
    rows. After `unclean_ends` process ends at one watermark it steps singly for `single_steps` steps; a
    step at which the process then ends as often again is given up.
    `clock` is monotonic, in nanoseconds.
    """

    checkpoint_seconds: float = 5.0
    checkpoint_rows: int = 50
    unclean_ends: int = 3
    single_steps: int = 500
    clock: Callable[[], int] = time.monotonic_ns


class Runner:
    """Runs processors over the partitions of a log.

    Exactly once in effect: outputs, watermark and rows of a batch move together. A `LogError` drops the
    partition from memory, to be recovered by the next call. Not thread-safe.
    """

    def __init__(self, log: Log, processors: Sequence[Processor[Any]], config: RunnerConfig | None = None) -> None:
        names = [processor.name for processor in processors]
        if len(set(names)) < len(names):
            raise ValueError(f"processors share a name: {sorted(names)}")
        self._log = log
        self._processors = sorted([*processors, ClockJumpProcessor()], key=lambda processor: processor.name)
        self._config = config or RunnerConfig()
        self._homes: dict[int, Home | None] = {}
        self._given_up: dict[int, str] = {}
        self._started: set[int] = set()

    def open(self, partition: int) -> bool:
        """Recover a partition; False: it is given up (`stats` says why) and the others go on.

        Raises:
            LogError: the log fails.

        """
        slots = [Slot(processor) for processor in self._processors]
        home = Home(self._log, Partition(partition, slots), self._config)
        self._homes[partition] = None
        self._given_up.pop(partition, None)
        try:
            home.open(first=partition not in self._started)
        except (StateTooNewError, UnrecoverableError) as error:
            self._given_up[partition] = str(error)
            return False
        self._started.add(partition)
        self._homes[partition] = home
        return True

    def process_batch(self, limit: int = 500) -> int:
        """Take up to `limit` records and timers of each partition and commit; return how many. Idle: 0.

        Raises:
            LogError: the log fails; nothing of the batch is visible.

        """
        done = 0
        for partition in list(self._homes):
            if partition in self._given_up or (self._homes[partition] is None and not self.open(partition)):
                continue
            home = self._homes[partition]
            if home is not None:
                self._homes[partition] = None  # whatever raises: memory is ahead of the log
                done += home.process_batch(limit)
                self._homes[partition] = home
        return done

    def stats(self) -> RunnerStats:
        """Return counts and positions of all partitions."""
        return RunnerStats(
            partitions=[
                PartitionStats(partition=number, given_up=self._given_up.get(number, "recovering"), counts=Counts())
                if home is None
                else home.stats()
                for number, home in sorted(self._homes.items())
            ]
        )

    def states(self) -> bytes:
        """Return all states as canonical bytes: equal for every layout and history of crashes."""
        return canonical.encode_states(home.partition for home in self._homes.values() if home is not None)

    def open_findings(self) -> dict[IndexKey, OpenFinding]:
        """Return the index of open findings by (processor, partitionkey, key, rule)."""
        return {
            key: finding
            for home in self._homes.values()
            if home is not None
            for key, finding in home.partition.outputs.index.items()
        }

    def known_configs(self) -> dict[int, list[Config]]:
        """Return the configs that each open partition knows, pending ones included."""
        return {n: home.partition.schedule.configs() for n, home in self._homes.items() if home is not None}

    def now(self) -> int:
        """Return the greatest `now` of the open partitions, nanoseconds UTC; 0 where there is none."""
        return max((home.partition.now for home in self._homes.values() if home is not None), default=0)

    def close(self) -> None:
        """Write every dirty row and say that the end is clean. Idempotent; the log stays open."""
        for home in self._homes.values():
            if home is not None:
                home.close()
        self._homes.clear()


class Home:
    """One partition in this process: its log, its checkpoint, its attempts."""

    def __init__(self, log: Log, partition: Partition, config: RunnerConfig) -> None:
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
        self._mismatches = recover(self._log, self.partition, self._rolling)
        if first:
            self._unclean = self._attempts.ends(self._watermark)
            if self._unclean >= self._config.unclean_ends:
                self._single = self._config.single_steps
                self.partition.kill_next = self._unclean >= 2 * self._config.unclean_ends
        if self.partition.outputs.waiting:
            self._commit()
        self._recovery_seconds = (self._config.clock() - started) / SECOND

    def process_batch(self, limit: int) -> int:
        """Take up to `limit` steps and commit them; return how many."""
        partition = self.partition
        if self._single:
            limit = 1
        start = self._log.start(Stream.EVENTS, partition.number)
        offset = partition.next_offset(start)
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

    def close(self) -> None:
        """Write every dirty row, in pieces, and forget the attempt."""
        while self.partition.dirty or self.partition.outputs.waiting:
            if not self._commit(_CLOSING_ROWS):
                break
        self._attempts.forget()

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
