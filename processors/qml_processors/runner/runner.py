"""The runner over a log: read a batch, take its steps, commit all that follows from it at once.

Same code in both homes, embedded and Kafka; only the log's `commit` differs. One thread at a time.
"""

from collections.abc import Collection, Sequence
from typing import Any

from qml_processors.base import Processor
from qml_processors.runner import canonical
from qml_processors.runner.clock_jump import ClockJumpProcessor
from qml_processors.runner.collector import paused
from qml_processors.runner.counts import Counts, PartitionStats, RunnerStats
from qml_processors.runner.home import Home, RunnerConfig
from qml_processors.runner.loss import LossProcessor
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.partition import Partition
from qml_processors.runner.recovery import UnrecoverableError
from qml_processors.runner.rules_schedule import Config
from qml_processors.runner.runner_log import RunnerLog
from qml_processors.runner.series import OpenFinding, Slot
from quantum_mlops.errors import StateTooNewError


class Runner:
    """Runs processors over the partitions of a log.

    Exactly once in effect: outputs, watermark and rows of a batch move together. A `LogError` drops the
    partition from memory, to be recovered by the next call. Not thread-safe.
    """

    def __init__(
        self, log: RunnerLog, processors: Sequence[Processor[Any]], config: RunnerConfig | None = None
    ) -> None:
        names = [processor.name for processor in processors]
        if len(set(names)) < len(names):
            raise ValueError(f"processors share a name: {sorted(names)}")
        self._log = log
        self._processors = sorted([*processors, *own_processors()], key=lambda processor: processor.name)
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
            with paused():
                home.open(first=partition not in self._started)
        except (StateTooNewError, UnrecoverableError) as error:
            self._given_up[partition] = str(error)
            return False
        self._started.add(partition)
        self._homes[partition] = home
        return True

    def process_batch(self, limit: int = 500, *, only: Collection[int] | None = None) -> int:
        """Take up to `limit` records and timers of each partition and commit; return how many. Idle: 0.

        `only` names the partitions to look at; None: all that were opened.

        Raises:
            LogError: the log fails; nothing of the batch is visible.

        """
        done = 0
        for partition in list(self._homes):
            if (only is not None and partition not in only) or partition in self._given_up:
                continue
            if self._homes[partition] is None and not self.open(partition):
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

    def checkpoint(self, partition: int, seconds: float) -> None:
        """Write the dirty rows of a partition for about `seconds`, so that who opens it next replays little.

        Raises:
            LogError: the log fails.

        """
        home = self._homes.get(partition)
        if home is not None:
            self._homes[partition] = None
            home.checkpoint(seconds)
            self._homes[partition] = home

    def release(self, partition: int, *, seconds: float = 0.0) -> None:
        """Forget a partition that is another's from now on. Nothing happens where it is not open.

        `seconds` bounds a checkpoint before; 0 writes nothing: then it may be another's already.

        Raises:
            LogError: the log fails; the partition is forgotten.

        """
        home = self._homes.pop(partition, None)
        self._given_up.pop(partition, None)
        if home is not None and seconds:
            home.close(seconds)

    def close(self) -> None:
        """Write every dirty row and say that the end is clean. Idempotent; the log stays open."""
        for home in self._homes.values():
            if home is not None:
                home.close()
        self._homes.clear()


def own_processors() -> list[Processor[Any]]:
    """Return the runner's own processors, new ones."""
    return [ClockJumpProcessor(), LossProcessor()]
