"""The thread that ships what this process records, and waits its turn where the service cannot take it.

The recorder writes its spool as without a target; this thread reads it. So a slow or absent service
never holds up the host, and what is not acknowledged at the end is still in the folder.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable

from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.backoff import delay_seconds
from quantum_mlops.shipping.connection import Connection
from quantum_mlops.shipping.heads import ProcessSource
from quantum_mlops.shipping.shipment import Counts, Shipment, Tell

POLL_SECONDS = 1.0
MENDING_SECONDS = 300.0
HURRY_SECONDS = 0.5  # while a flush or the end of the program waits


class Ticket:
    """A request that everything spooled before be acknowledged: `done` is set when it is, or cannot be."""

    __slots__ = ("done", "failed")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.failed = False


class Shipper:
    """Ships one process's spool. `drain`, `finish` and `lag_bytes` may be called from any thread.

    Args:
        source: which segments.
        shipment: reads and removes them.
        client: the connection, closed by the thread at its end.
        tell: says a line to a person.
        random: gives floats in [0, 1), for the jitter.

    """

    def __init__(
        self, source: ProcessSource, shipment: Shipment, client: Connection, tell: Tell, random: Callable[[], float]
    ) -> None:
        self._source = source
        self._shipment = shipment
        self._client = client
        self._tell = tell
        self._random = random
        self._tickets: deque[Ticket] = deque()
        self._sleep = threading.Lock()  # released to wake the thread
        self._sleep.acquire()
        self._stopping = False
        self._not_before = 0.0
        self._attempts = 0
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._work, name="quantum-mlops-shipper", daemon=True)

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        return self._shipment.counts

    def start(self) -> None:
        """Start the thread. Raises RuntimeError where the system gives none."""
        self._thread.start()

    def drain(self, deadline_seconds: float) -> bool:
        """Return whether all that this process had spooled was acknowledged within the deadline."""
        if not self._thread.is_alive():
            return False
        ticket = Ticket()
        self._tickets.append(ticket)
        self._wake()
        ticket.done.wait(max(0.0, deadline_seconds))
        with contextlib.suppress(ValueError):  # settled
            self._tickets.remove(ticket)
        return ticket.done.is_set() and not ticket.failed

    def finish(self, deadline_seconds: float, *, ended: bool) -> int:
        """Ship what is there, stop, and return how many bytes stay in the spool.

        `ended` says that the recorder closed the spool; only then the last segments are removed.
        """
        self._source.ended = ended
        self._stopping = True
        waits = self._not_before - time.monotonic()
        if self._thread.is_alive() and waits < deadline_seconds:
            self._wake()
            self._thread.join(max(0.0, deadline_seconds))
        left = self.lag_bytes()
        if not self._thread.is_alive():
            with contextlib.suppress(OSError):  # the folder cannot be read: its lock's file stays, unheld
                self._source.close()
        return left

    def lag_bytes(self) -> int:
        """Return how many bytes of this process's segments are not acknowledged; 0 where the folder cannot be read."""
        try:
            return self._shipment.lag_bytes(self._source.own_all())
        except OSError:
            return 0

    def abandon(self) -> None:
        """Let go of a parent process's connection and locks: after a fork."""
        self._client.abandon()
        self._source.abandon()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # awake already
            self._sleep.release()

    def _work(self) -> None:
        try:
            self._turn()
        finally:
            self._client.close()

    def _turn(self) -> None:
        wait = POLL_SECONDS
        while True:
            hurried = self._stopping or bool(self._tickets)
            self._sleep.acquire(timeout=min(wait, HURRY_SECONDS) if hurried else wait)
            wait = self._not_before - time.monotonic()
            if wait > 0.0:  # also when somebody waits for us: the service said so
                continue
            last = self._stopping
            wait, done = self._attempt()
            if last and done:
                return

    def _attempt(self) -> tuple[float, bool]:
        """Ship what is there; return how long to wait then, and whether there is no more to be done now."""
        try:
            self._ship()
        except RetryableError as error:
            self._attempts += 1
            if error.retry_after_seconds is not None:
                self._not_before = time.monotonic() + error.retry_after_seconds
            wait = delay_seconds(self._attempts, self._random(), error.retry_after_seconds)
            self._trouble(str(error), "sent later")
            return wait, False
        except PermanentError as error:
            self._trouble(str(error), "tried again in 5 minutes")
            self._settle(list(self._tickets), failed=True)
            return MENDING_SECONDS, True
        except Exception as error:  # noqa: BLE001 - a full disk, or a fault of ours: said, and the next round goes on
            self._trouble(f"{type(error).__name__}: {str(error)[:200]}", "tried again in 5 minutes")
            self._settle(list(self._tickets), failed=True)
            return MENDING_SECONDS, True
        if self.trouble is not None:
            self._tell("shipping again", f"{self._client.address} takes events again")
        self.trouble = None
        self._attempts = 0
        return POLL_SECONDS, True

    def _ship(self) -> None:
        asked = list(self._tickets)
        while self._shipment.step(self._source.own()):
            pass
        self._settle(asked, failed=False)
        while not self._stopping and not self._tickets and self._shipment.step(self._source.adopted()):
            while self._shipment.step(self._source.own()):
                pass

    def _settle(self, tickets: list[Ticket], *, failed: bool) -> None:
        for ticket in tickets:
            with contextlib.suppress(ValueError):  # who waited for it went away
                self._tickets.remove(ticket)
            ticket.failed = failed
            ticket.done.set()

    def _trouble(self, reason: str, outlook: str) -> None:
        if self.trouble is None:
            self._tell("shipping", f"{self._client.address} {reason}; what is recorded is kept and {outlook}")
        self.trouble = reason
