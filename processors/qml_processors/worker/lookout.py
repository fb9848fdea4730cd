"""The lookout: where partitions end, whether brokers answer, and which engine stands still before an end."""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future

from msgspec import Struct

from qml_processors.runner.counts import PartitionStats
from qml_processors.worker.delivery import Delivery
from qml_processors.worker.owned_log import OwnedLog
from qml_processors.worker.store import Bounds, Store
from quantum_mlops.errors import LogError

Stats = Mapping[int, PartitionStats]


class Stall(Struct):
    """Since when a partition stands at `offset` although it is behind its end; sought again after `wait` seconds."""

    offset: int
    since: float
    wait: float
    count: int = 0


class Lookout:
    """Asks now and then; never waits for the answer. `answered` is when brokers last gave one, monotonic seconds."""

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        log: OwnedLog,
        look_seconds: float,
        patience_seconds: float,
        stall_seconds: float,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._log = log
        self._look_seconds = look_seconds
        self._patience = patience_seconds
        self._stall_seconds = stall_seconds
        self._asking: Future[Mapping[int, Bounds]] | None = None
        self._stalls: dict[int, Stall] = {}
        self._asked = self.answered = time.monotonic()

    def look(self, now: float, owned: Collection[int], stats: Callable[[], Stats]) -> None:
        """Ask, or take an answer.

        Raises:
            LogError: no broker has answered for too long.

        """
        if self._asking is None:
            if owned and now - self._asked >= self._look_seconds:
                self._asked = now
                self._asking = self._store.bounds(sorted(owned))
            elif not owned:
                self.answered = now
            return
        silent = now - self.answered
        if self._asking.done():
            asking, self._asking = self._asking, None
            try:
                self._log.learn(asking.result())
            except LogError as error:
                if silent > self._patience:
                    raise LogError(f"no broker for {silent:.0f} s: {error}") from error
                return
            self.answered = now
            self._compare(now, owned, stats())
        elif silent > self._patience:
            raise LogError(f"no broker answered for {silent:.0f} s")

    def stalls(self, partition: int) -> int:
        """Return how often a partition was sought because it stood still."""
        stall = self._stalls.get(partition)
        return 0 if stall is None else stall.count

    def _compare(self, now: float, owned: Collection[int], stats: Stats) -> None:
        """Tell the group how far we are, and seek where an engine stands still before the end."""
        offsets: dict[int, int] = {}
        for number, one in stats.items():
            if number not in owned:
                continue
            offsets[number] = one.offset
            part = self._log.part(number)
            stall = self._stalls.setdefault(number, Stall(one.offset, now, self._stall_seconds))
            if one.offset != stall.offset or not one.lag or part.backlog():
                stall.offset, stall.since, stall.wait = one.offset, now, self._stall_seconds
            elif now - stall.since >= stall.wait:
                stall.since, stall.wait = now, stall.wait * 2  # what is left may be a marker, which no one delivers
                stall.count += 1
                part.feed.begin(part.feed.reached)
        if offsets:
            self._delivery.hint(offsets)
