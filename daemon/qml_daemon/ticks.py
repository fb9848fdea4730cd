"""Ticks: they tell the processors that time passes while nothing else does."""

import os
import socket
import time
from collections.abc import Callable
from functools import partial

from qml_processors.runner import tick_event
from quantum_mlops.clock import MINUTE, SECOND, Clock
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Log

PERIOD = SECOND
QUIET_PERIOD = 30 * SECOND
JUMP = 30 * SECOND
FOLLOW_AFTER = 10 * MINUTE


def append_to_each(log: Log, event: Event) -> None:
    """Append an event to every partition, one after the other.

    Raises:
        LogError: the log failed; some partitions may have it.

    """
    for partition in range(log.partitions):
        log.append([event], partition=partition)


class Ticker:
    """Appends a tick to every partition: each second while timers are armed, each 30 s in quiet times.

    A tick's `time` is the wall clock at the start plus monotonic time since, so that a jump of the
    log's clock shows. A jump that stands for ten minutes is the new time: ticks follow it then. `spread` writes
    to every partition where the log has a faster way than one after the other.
    """

    def __init__(
        self,
        log: Log,
        clock: Clock,
        monotonic: Callable[[], int] = time.monotonic_ns,
        spread: Callable[[Event], None] | None = None,
    ) -> None:
        self._spread = spread or partial(append_to_each, log)
        self._monotonic = monotonic
        self._wall, self._began = clock(), monotonic()
        self._last = self._began - QUIET_PERIOD
        self._clock = clock
        self._ahead_since: int | None = None
        self._number = 0
        self._source = f"qml://{socket.gethostname()}/{os.urandom(6).hex()}/0"

    def step(self, *, quiet: bool) -> bool:
        """Append the tick that is due, if one is; `quiet`: nobody waits for the time.

        Raises:
            LogError: the log failed; the tick is tried again.

        """
        now = self._monotonic()
        if now - self._last < (QUIET_PERIOD if quiet else PERIOD):
            return False
        self._follow(now)
        tick = tick_event(self._source, self._number, self._wall + now - self._began)
        self._spread(tick)
        self._last = now
        self._number += 1
        return True

    def _follow(self, now: int) -> None:
        ahead = self._clock() - (self._wall + now - self._began)
        if ahead <= JUMP:
            self._ahead_since = None
        elif self._ahead_since is None:
            self._ahead_since = now
        elif now - self._ahead_since >= FOLLOW_AFTER:
            self._wall += ahead
            self._ahead_since = None
