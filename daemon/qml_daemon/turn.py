"""One turn of the daemon's loop: what came is taken to the log, processed, and told; the time is written down."""

import time

from msgspec import Struct

from qml_daemon.assembly import Parts
from qml_daemon.retention import Retention
from qml_daemon.ticks import Ticker
from quantum_mlops.errors import LogError

BATCH = 500
BUSY_FOR_SECONDS = 5.0


class Done(Struct, frozen=True):
    """What a turn came to: whether there is more to do at once, and what failed (it is tried again)."""

    more: bool
    fault: LogError | None = None


class Turn:
    """Called again and again from the loop's thread. A log that takes nothing does not keep receivers waiting."""

    def __init__(self, parts: Parts, ticker: Ticker, retention: Retention) -> None:
        self._parts = parts
        self._ticker = ticker
        self._retention = retention
        self._active_at = time.monotonic()

    def step(self, *, tick: bool) -> Done:
        """Do one turn; with `tick` the time is told to the processors, and old records go."""
        parts = self._parts
        taken = done = told = 0
        fault: LogError | None = None
        try:
            taken = parts.inbox.drain(parts.log, BATCH) + parts.intake.poll(BATCH)
            done = parts.processing.process_batch(BATCH)
            if tick:
                self._ticker.step(quiet=self._is_quiet())
                self._retention.step()
        except LogError as error:
            fault = error
        held = parts.ground.lease.is_held()
        if not held and fault is None:
            fault = LogError(f"receivers are told nothing: {parts.ground.lease.fault or 'the lease ran out'}")
        try:
            told = parts.dispatcher.step(BATCH, send=held)
        except LogError as error:
            fault = fault or error
        if taken or told:
            self._active_at = time.monotonic()
        return Done(taken >= BATCH or done >= BATCH or told >= BATCH, fault)

    def is_busy(self) -> bool:
        """Return whether something came or was told in the last seconds."""
        return time.monotonic() - self._active_at < BUSY_FOR_SECONDS

    def _is_quiet(self) -> bool:
        """Whether no series waits for the time and nothing came for a while."""
        return not self.is_busy() and not self._parts.processing.waits_for_time()
