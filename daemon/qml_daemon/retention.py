"""Retention: old records leave the log, old notifications the outbox, a little at a time."""

import logging

from qml_daemon.assembly import Parts
from qml_daemon.dispatch.origin import READER
from quantum_mlops.clock import MINUTE, Clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.sections import LogSection

PERIOD = 5 * MINUTE

_logger = logging.getLogger(__name__)


class Retention:
    """Removes what is over age or size; `removed` and `unread` count records since the start."""

    def __init__(self, parts: Parts, section: LogSection, clock: Clock) -> None:
        self._parts = parts
        self._age = parse_duration(section.retention)
        self._max_bytes = section.max_bytes
        self._clock = clock
        self._next = clock() + MINUTE
        self.removed = self.unread = 0

    def step(self) -> None:
        """Do one bounded pass if one is due; comes back at once while there is more.

        Raises:
            LogError: the log or the outbox failed.

        """
        now = self._clock()
        if self._next > now:
            # After a clock was set back, wait for one period at most.
            self._next = min(self._next, now + PERIOD)
            return
        done = self._parts.log.retain(older_than=now - self._age, max_bytes=self._max_bytes, readers=[READER])
        self.removed += sum(done.removed.values())
        if done.unread:
            _logger.warning("%d findings were removed before they were read; raise log.max_bytes", done.unread)
        self.unread += done.unread
        if done.complete:
            with self._parts.store.transaction():
                self._parts.store.prune(now - self._age)
            self._next = now + PERIOD
