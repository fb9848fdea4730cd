"""The worker: partitions come, are opened, processed and go again; everything that fails ends it.

Crash-only: a commit that fails or is fenced, an engine that ends, a broker that stays away raise out of `run`.
Whoever starts the process again loses nothing, for the next owner begins at the last commit.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

from msgspec import Struct

from qml_processors.runner import Runner
from qml_processors.runner.collector import settle
from qml_processors.runner.counts import PartitionStats
from qml_processors.worker.delivery import Delivery
from qml_processors.worker.handover import Change, Handover
from qml_processors.worker.lookout import Lookout
from qml_processors.worker.owned_log import COMMIT_BUCKETS, OwnedLog
from qml_processors.worker.store import Store
from quantum_mlops.errors import LogError, LogFencedError

_TAKING_BACK_SECONDS = 3.0
_AHEAD = 3
"""So many partitions' states are read ahead of the one that is opened: rows take as much memory as what they hold."""


class WorkerConfig(Struct, frozen=True, kw_only=True):
    """How a worker paces itself; none of it changes what is found.

    `batch` records at most are one transaction of one partition; fewer than half of them wait for `linger_seconds`
    after the transaction before. An idle partition writes on after `idle_seconds`.
    Every `look_seconds` it asks where partitions end; brokers that do not answer for `patience_seconds` end
    it, and a partition that stays behind its end for `stall_seconds` is sought again. `start_seconds` bound the
    joining of the group, `letting_go_seconds` the checkpoint when partitions are taken, `stop_seconds` an orderly end.
    """

    batch: int = 1000
    linger_seconds: float = 0.05
    idle_seconds: float = 0.25
    look_seconds: float = 5.0
    patience_seconds: float = 60.0
    stall_seconds: float = 15.0
    letting_go_seconds: float = 1.0
    start_seconds: float = 60.0
    stop_seconds: float = 8.0


class PartitionReport(Struct, frozen=True, kw_only=True):
    """One partition in this worker: the runner's statistics and what the delivery did."""

    stats: PartitionStats
    backlog: int
    holes: int
    doubts: int
    repeats: int
    stalls: int
    commit_counts: list[int]
    commit_seconds: float


class WorkerReport(Struct, frozen=True, kw_only=True):
    """The worker at one moment. `opening` are partitions assigned and not recovered yet; `at` is monotonic seconds.

    `silence_seconds`: how long ago brokers last said where partitions end.
    """

    at: float
    silence_seconds: float
    joined: bool
    rebalances: int
    opening: list[int]
    partitions: list[PartitionReport]
    commit_bounds: tuple[float, ...] = COMMIT_BUCKETS


class Worker:
    """Processes the partitions that a group assigns. `run` in the main thread; `report` is read from any.

    Args:
        store: Kafka.
        delivery: the engine.
        make_runner: makes the runner over the log that this worker owns.
        config: the pace.
        say: takes a line for people.

    """

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        make_runner: Callable[[OwnedLog], Runner],
        config: WorkerConfig,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._delivery = delivery
        self._say = say
        self.log = OwnedLog(store, delivery)
        self.runner = make_runner(self.log)
        self.handover = Handover(self.log.accept)
        self._kept: set[int] = set()  # in memory
        self._owned: set[int] = set()  # in memory, ours, and followed
        self._opening: deque[int] = deque()
        self._lookout = Lookout(
            store, delivery, self.log, config.look_seconds, config.patience_seconds, config.stall_seconds
        )
        self._settled = self._reported = time.monotonic()
        self._joined = self._fresh = False
        self.report = WorkerReport(
            at=self._reported, silence_seconds=0.0, joined=False, rebalances=0, opening=[], partitions=[]
        )

    def run(self, stopping: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Work until `stopping`, then let go in order. `ready` is called when the first partitions are open.

        Raises:
            LogError: it cannot go on; nothing that was not committed is visible.

        """
        try:
            self._run(stopping, ready)
        except LogFencedError:  # what was tried is another's to try
            raise
        except LogError:
            with contextlib.suppress(LogError):  # a broker failed, no event: attempts made here do not count
                self.log.take_back(_TAKING_BACK_SECONDS)
            raise

    def _run(self, stopping: Callable[[], bool], ready: Callable[[], None]) -> None:
        self._delivery.start(self.handover)
        until = time.monotonic() + self._config.start_seconds
        told = False
        while not stopping():
            busy = self._turn()
            if not told and self._joined and not self._opening:
                told = True
                ready()
            if not self._joined and time.monotonic() > until:
                raise LogError(f"the group gave no answer within {self._config.start_seconds:g} s")
            if not busy:
                self.handover.wait(self._config.linger_seconds)
        self._end()

    def _turn(self) -> bool:
        """Do what there is to do; False: nothing."""
        for change in self.handover.changes():
            self._change(change)
            change.done()
        self.log.check(self._kept)
        if self._opening:
            self._open(self._opening.popleft())
        ready = self._ready()
        if ready:
            self.runner.process_batch(self._config.batch, only=ready)
        now = time.monotonic()
        if now - self._settled >= self._config.idle_seconds:
            self._settled = now
            self._settle()
        self._lookout.look(now, self._owned, self._stats)
        if now - self._reported >= 1.0 or (self._fresh and not self._opening):
            self._report(now)
        return bool(ready or self._opening)

    def _ready(self) -> set[int]:
        """Return who has records and no commit under way; where all have one, who has a full batch waiting."""
        waiting = {n: (part, backlog) for n in self._owned if (backlog := (part := self.log.part(n)).backlog())}
        fresh = time.monotonic() - self._config.linger_seconds
        free = {
            number
            for number, (part, backlog) in waiting.items()
            if not part.is_committing() and (part.committed < fresh or 2 * backlog >= self._config.batch)
        }
        return free or {number for number, (_, backlog) in waiting.items() if backlog >= self._config.batch}

    def _settle(self) -> None:
        """Let partitions without records write what is dirty."""
        idle = {n for n in self._owned if not (part := self.log.part(n)).backlog() and not part.is_committing()}
        if idle:
            self.runner.process_batch(self._config.batch, only=idle)

    def _change(self, change: Change) -> None:
        if change.assigned:
            self._assign(change.partitions)
        else:
            self._revoke()

    def _assign(self, partitions: Iterable[int]) -> None:
        """Let go of what went elsewhere, go on with what stayed, open the rest."""
        self._joined = self._fresh = True
        mine = set(partitions)
        for partition in self._kept - mine:
            self.runner.release(partition)
            self.log.release(partition)
        self._kept &= mine
        for partition in sorted(self._kept):
            self._follow(partition)
        new = sorted(mine - self._kept)
        self.log.prepare(new[:_AHEAD])
        self._opening = deque(new)

    def _revoke(self) -> None:
        """Stop, and store what is dirty while the partitions are still ours. What stays ours is kept in memory."""
        for partition in self._opening:
            self.log.release(partition)
        self._opening.clear()
        owned, self._owned = sorted(self._owned), set()
        for partition in owned:
            self.log.halt(partition)
        for partition in owned:
            self.runner.checkpoint(partition, self._config.letting_go_seconds / len(owned))
        for partition in owned:
            self.log.flush(partition)

    def _open(self, partition: int) -> None:
        self.log.prepare(islice(self._opening, _AHEAD - 1, _AHEAD))
        opened = self.runner.open(partition)
        self._kept.add(partition)
        if opened:
            self._follow(partition)
        else:
            stats = self._stats()[partition]
            self._say(f"partition {partition} is given up: {stats.given_up}")
            self.log.halt(partition)
        if not self._opening:
            settle()

    def _follow(self, partition: int) -> None:
        stats = self._stats()[partition]
        if stats.given_up is None:
            self.log.follow(partition, stats.offset)
            self._owned.add(partition)

    def _stats(self) -> dict[int, PartitionStats]:
        return {stats.partition: stats for stats in self.runner.stats().partitions}

    def _report(self, now: float) -> None:
        self._reported, self._fresh = now, False
        parts: list[PartitionReport] = []
        for number, stats in self._stats().items():
            part = self.log.part(number)
            parts.append(
                PartitionReport(
                    stats=stats,
                    backlog=part.backlog(),
                    holes=part.feed.holes,
                    doubts=part.feed.doubts,
                    repeats=part.feed.repeats,
                    stalls=self._lookout.stalls(number),
                    commit_counts=list(part.times.counts),
                    commit_seconds=part.times.sum_seconds,
                )
            )
        self.report = WorkerReport(
            at=now,
            silence_seconds=now - self._lookout.answered,
            joined=self._joined,
            rebalances=self.handover.rebalances,
            opening=list(self._opening),
            partitions=parts,
        )

    def _end(self) -> None:
        """Store everything while there is time, then leave the group."""
        until = time.monotonic() + self._config.stop_seconds
        owned = sorted(self._owned)
        for partition in owned:
            self.log.halt(partition)
        for left, partition in zip(range(len(owned), 0, -1), owned, strict=True):
            self.runner.release(partition, seconds=max(0.01, (until - time.monotonic()) / left / 2))
        for partition in owned:
            self.log.flush(partition)
        self.handover.close()
        self._delivery.stop(max(1.0, until - time.monotonic()))
