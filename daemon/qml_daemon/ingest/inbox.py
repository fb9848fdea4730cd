"""What other threads want in the log, for the main loop to append: bounded, in batches, answered after the commit.

The main loop is the log's only writer. It empties the inbox once a round; all that waits is one append (group
commit), and only then is each submitter told. So an answer means: stored.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from qml_daemon.intake.sieve import REFUSALS
from quantum_mlops.errors import LogError, QuantumMlopsError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter, Log

MAX_EVENTS = 20_000
MAX_BYTES = 32 * 1024 * 1024
EVENT_BYTES = 512
"""What an event is taken for whose size nobody named."""

Told = Callable[[Exception | None], None]


class InboxFullError(QuantumMlopsError):
    """So much waits for the log that nothing more is taken; nothing of this submission was."""


class InboxClosedError(QuantumMlopsError):
    """The daemon starts or stops; nothing of this submission was taken."""


class InboxStats(Struct, frozen=True, kw_only=True):
    """`events` were committed since the start, in `commits`; `refused_full` submissions found no room."""

    events: int
    commits: int
    refused_full: int
    waiting: int


class _Submission(Struct, frozen=True):
    events: Sequence[Event]
    size_bytes: int
    told: Told
    letters: Sequence[DeadLetter] = ()

    @property
    def count(self) -> int:
        """How many records it makes."""
        return len(self.events) + len(self.letters)


class Inbox:
    """Takes events from any thread; `drain` and `wait` are the main loop's.

    Args:
        max_events: how many events may wait; one submission may go over it when nothing else waits.
        max_bytes: the same in bytes of their JSON.

    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: deque[_Submission] = deque()
        self._events = self._bytes = 0
        self._wake = threading.Event()
        self._open = False
        self._committed = self._commits = self._refused = 0

    async def append(
        self, events: Sequence[Event], size_bytes: int | None = None, letters: Sequence[DeadLetter] = ()
    ) -> None:
        """Wait until the events, and the letters of what is none, are stored in the log, all or none.

        Raises:
            InboxFullError, InboxClosedError: not taken; try again later.
            LogError: the log failed; whether they are stored is unknown. Sending them again is right.
            EventTooLargeError, ValueError: the log refuses one of them; none is stored.

        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell(error: Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(_settle, done, error)
            except RuntimeError:  # the loop is closed: whoever asked is gone
                return

        self.submit(events, tell, size_bytes, letters)
        await done

    def submit(
        self,
        events: Sequence[Event],
        told: Told,
        size_bytes: int | None = None,
        letters: Sequence[DeadLetter] = (),
    ) -> None:
        """Hand over events; `told(None)` or `told(error)` is called in the main loop's thread. Does not block.

        Raises:
            InboxFullError, InboxClosedError: not taken, and `told` is not called.

        """
        one = _Submission(events, EVENT_BYTES * len(events) if size_bytes is None else size_bytes, told, letters)
        with self._lock:
            if not self._open:
                raise InboxClosedError("the daemon does not take events now")
            full = self._events + one.count > self._max_events or self._bytes + one.size_bytes > self._max_bytes
            if full and self._waiting:
                self._refused += 1
                raise InboxFullError(f"{self._events} events wait for the log already")
            self._waiting.append(one)
            self._events += one.count
            self._bytes += one.size_bytes
        self._wake.set()

    def is_full(self) -> bool:
        """Return whether there is no room now: what is read off the wire would only be thrown away."""
        return self._events >= self._max_events or self._bytes >= self._max_bytes

    def wait(self, timeout_seconds: float) -> None:
        """Sleep until something waits, `wake` is called, or the time is up."""
        self._wake.wait(timeout_seconds)

    def wake(self) -> None:
        """End the main loop's sleep, for work that does not go through here."""
        self._wake.set()

    def drain(self, log: Log, limit: int) -> int:
        """Append what waits, about `limit` events (whole submissions), and tell the submitters. Returns the events.

        Raises:
            LogError: the log failed; the submitters were told.

        """
        self._wake.clear()
        batch = self._take(limit)
        if not batch:
            return 0
        try:
            _append(log, batch)
        except LogError as error:
            _tell(batch, error)
            raise
        except REFUSALS:  # decided before anything was written: find out whose event it was
            return self._append_each(log, batch)
        self._count(batch)
        _tell(batch, None)
        return sum(len(one.events) for one in batch)

    def open(self) -> None:
        """Take events from now on."""
        with self._lock:
            self._open = True

    def close(self) -> None:
        """Take no more; what still waits is told InboxClosedError. Idempotent."""
        with self._lock:
            self._open = False
            left = list(self._waiting)
            self._waiting.clear()
            self._events = self._bytes = 0
        _tell(left, InboxClosedError("the daemon stops"))

    def stats(self) -> InboxStats:
        """Return counts since the start, and what waits now."""
        return InboxStats(
            events=self._committed, commits=self._commits, refused_full=self._refused, waiting=self._events
        )

    def _take(self, limit: int) -> list[_Submission]:
        batch: list[_Submission] = []
        count = 0
        with self._lock:
            while self._waiting and count < limit:
                one = self._waiting.popleft()
                batch.append(one)
                count += one.count
                self._events -= one.count
                self._bytes -= one.size_bytes
            if self._waiting:
                self._wake.set()
        return batch

    def _append_each(self, log: Log, batch: list[_Submission]) -> int:
        stored = 0
        for index, one in enumerate(batch):
            try:
                _append(log, [one])
            except LogError as error:
                _tell(batch[index:], error)
                raise
            except REFUSALS as error:
                one.told(error)
            else:
                stored += len(one.events)
                self._count([one])
                one.told(None)
        return stored

    def _count(self, batch: list[_Submission]) -> None:
        self._commits += 1
        self._committed += sum(len(one.events) for one in batch)


def _append(log: Log, batch: Sequence[_Submission]) -> None:
    letters = [letter for one in batch for letter in one.letters]
    log.append([event for one in batch for event in one.events], dead_letters=letters)


def _tell(batch: Sequence[_Submission], error: Exception | None) -> None:
    for one in batch:
        one.told(error)


def _settle(done: "asyncio.Future[None]", error: Exception | None) -> None:
    if done.done():  # the request was cancelled meanwhile
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
