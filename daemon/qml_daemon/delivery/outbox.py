"""The outbox: what waits for which receiver, when it is tried, and what became of it.

Whether a failed delivery is tried again is decided here, once for all receivers, from what the
notifier raised. What waited together goes out as one message.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, field

from qml_daemon.delivery.backoff import LONGEST_RETRY_AFTER_SECONDS, delay_seconds
from qml_daemon.delivery.bucket import TokenBucket
from qml_daemon.delivery.courier import Courier
from qml_daemon.delivery.store import OutboxStore, Waiting
from qml_daemon.notification import Notification
from qml_daemon.notifiers.base import Notifier
from quantum_mlops.clock import DAY, SECOND, Clock
from quantum_mlops.errors import RetryableError

MOST_AT_ONCE = 100
GIVE_UP = DAY
_OUTCOMES = ("sent", "failed", "retried")
_MEND = "; after mending it try: quantum-mlops receivers test"

_logger = logging.getLogger(__name__)


class Lane(Struct):
    """One receiver's address: its courier, its pace, and what waits for it, the oldest first."""

    courier: Courier
    bucket: TokenBucket | None
    waiting: deque[Waiting] = field(default_factory=deque)
    flying: list[Waiting] = field(default_factory=list)
    attempts: int = 0
    not_before: int = 0


class OutboxStats(Struct, kw_only=True):
    """Counts since the start, and what waits now. `kinds` has the counts again, by the receiver's kind and outcome."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    waiting: int = 0
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)


class Outbox:
    """Not thread-safe. `add`, `settle` are called inside a transaction of the store, the rest outside.

    Args:
        store: the durable part.
        notifiers: by (receiver, kind).
        clock: nanoseconds UTC.
        random: gives floats in [0, 1), for the jitter.

    """

    def __init__(
        self,
        store: OutboxStore,
        notifiers: Mapping[tuple[str, str], Notifier],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._lanes: dict[str, Lane] = {}
        self._lane_of: dict[tuple[str, str], Lane] = {}
        self._kinds: dict[str, list[str]] = {}
        for (receiver, kind), notifier in notifiers.items():
            if notifier.lane not in self._lanes:
                pace = notifier.pace
                bucket = None if pace is None else TokenBucket(pace.rate, pace.burst, clock())
                self._lanes[notifier.lane] = Lane(Courier(notifier), bucket)
            self._lane_of[receiver, kind] = self._lanes[notifier.lane]
            self._kinds.setdefault(receiver, []).append(kind)
        kinds = {kind for _, kind in notifiers}
        self._counts = OutboxStats(kinds={kind: dict.fromkeys(_OUTCOMES, 0) for kind in sorted(kinds)})

    def load(self) -> None:
        """Read what waits; what waits for a receiver that is no longer configured is given up."""
        orphans = []
        for lane in self._lanes.values():
            lane.waiting.clear()
            if not lane.courier.busy:
                lane.flying = []
        for waiting in self._store.read_waiting():
            lane_or_none = self._lane_of.get((waiting.receiver, waiting.kind))
            if lane_or_none is None:
                orphans.append(waiting)
            elif waiting.number not in lane_or_none.courier.numbers:
                self._queue(lane_or_none, waiting)
        if orphans:
            with self._store.transaction():
                self._give_up(orphans, "the receiver is no longer configured", mend="")

    def add(self, notification: Notification) -> None:
        """Put a notification into the outbox, for each kind of its receiver."""
        for kind in self._kinds[notification.receiver]:
            name = f"{notification.id}/{kind}"
            number = self._store.add(name, notification.receiver, kind, notification.time, notification)
            waiting = Waiting(number, notification.receiver, kind, notification.time, 0, 0)
            self._queue(self._lane_of[notification.receiver, kind], waiting)

    @property
    def has_outcomes(self) -> bool:
        """Whether a courier has something to report."""
        return any(lane.courier.outcome is not None for lane in self._lanes.values())

    @property
    def flying(self) -> bool:
        """Whether some courier is under way."""
        return any(lane.courier.busy for lane in self._lanes.values())

    def settle(self) -> None:
        """Store what the couriers report."""
        for lane in self._lanes.values():
            outcome = lane.courier.outcome
            if outcome is None:
                continue
            now = self._clock()
            if outcome.error is None:
                lane.attempts = 0
                self._counts.sent += len(outcome.numbers)
                self._count(lane.flying, "sent")
                self._store.settle(outcome.numbers, "sent", now, None)
            elif isinstance(outcome.error, RetryableError):
                self._retry(lane, outcome.error, now)
            else:
                lane.attempts = 0
                self._give_up(lane.flying, str(outcome.error))

    def confirm(self) -> None:
        """Let the couriers go on: their outcomes are stored."""
        for lane in self._lanes.values():
            if lane.courier.outcome is not None:
                lane.flying = []
                lane.courier.confirm()

    def hand_over(self) -> int:
        """Give idle couriers what is due; return how many notifications. Never blocks on a receiver."""
        now = self._clock()
        handed = 0
        for lane in self._lanes.values():
            if not lane.waiting or lane.courier.busy:
                continue
            # A wall clock that was set back must not hold a lane for longer than any receiver may ask for.
            if now < lane.not_before <= now + LONGEST_RETRY_AFTER_SECONDS * SECOND:
                continue
            if lane.bucket is not None and not lane.bucket.take(now):
                continue
            lane.flying = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), MOST_AT_ONCE))]
            numbers = [waiting.number for waiting in lane.flying]
            lane.courier.send(numbers, self._store.read_bodies(numbers))
            handed += len(numbers)
        return handed

    def wait(self, seconds: Iterator[float]) -> None:
        """Block until no errand is under way, as long as `seconds` gives time that is left."""
        for lane in self._lanes.values():
            lane.courier.wait(next(seconds))

    def stats(self) -> OutboxStats:
        """Return the counts."""
        waiting = sum(len(lane.waiting) + len(lane.flying) for lane in self._lanes.values())
        return OutboxStats(
            sent=self._counts.sent,
            failed=self._counts.failed,
            retried=self._counts.retried,
            waiting=waiting,
            kinds={kind: dict(outcomes) for kind, outcomes in self._counts.kinds.items()},
        )

    def close(self) -> None:
        """End the couriers' threads; what is not confirmed stays in the store."""
        for lane in self._lanes.values():
            lane.courier.close()

    def _queue(self, lane: Lane, waiting: Waiting) -> None:
        lane.waiting.append(waiting)
        lane.attempts = max(lane.attempts, waiting.attempts)
        lane.not_before = max(lane.not_before, waiting.next_attempt)

    def _retry(self, lane: Lane, error: RetryableError, now: int) -> None:
        lane.attempts += 1
        wait = delay_seconds(lane.attempts, error.retry_after_seconds, self._random())
        lane.not_before = now + round(wait * SECOND)
        old = [waiting for waiting in lane.flying if waiting.created < now - GIVE_UP]
        fresh = [waiting for waiting in lane.flying if waiting.created >= now - GIVE_UP]
        self._give_up(old, f"not delivered within a day: {error}")
        self._store.defer([waiting.number for waiting in fresh], lane.not_before, str(error))
        lane.waiting.extendleft(reversed(fresh))
        self._counts.retried += len(fresh)
        self._count(fresh, "retried")
        if lane.attempts == 1:
            _logger.warning("%s did not take a notification: %s; trying again", lane.courier.notifier.lane, error)

    def _count(self, notifications: Iterable[Waiting], outcome: str) -> None:
        for waiting in notifications:
            outcomes = self._counts.kinds.setdefault(waiting.kind, dict.fromkeys(_OUTCOMES, 0))
            outcomes[outcome] += 1

    def _give_up(self, notifications: list[Waiting], reason: str, mend: str = _MEND) -> None:
        if not notifications:
            return
        self._store.settle([waiting.number for waiting in notifications], "failed", self._clock(), reason)
        self._counts.failed += len(notifications)
        self._count(notifications, "failed")
        receivers = ", ".join(sorted({f"{waiting.receiver}/{waiting.kind}" for waiting in notifications}))
        _logger.error("%d notifications to %s given up: %s%s", len(notifications), receivers, reason, mend)
