"""The hand-over between the thread of a delivery engine and the main thread, which owns partitions.

The engine's thread puts in assignments, records and its failure; the main thread takes them out and is
woken. A revocation waits until the main thread has let go, but not for ever.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qml_processors.worker.delivery import Chunk


class Change:
    """The group gave (`assigned`) or takes partitions; whoever waits goes on after `done`."""

    def __init__(self, partitions: Iterable[int], *, assigned: bool) -> None:
        self.partitions = frozenset(partitions)
        self.assigned = assigned
        self._event = threading.Event()

    def done(self) -> None:
        """The main thread has taken it in."""
        self._event.set()

    def is_done(self) -> bool:
        """Whether the main thread has taken it in."""
        return self._event.is_set()


class Handover:
    """A bounded mailbox. Every method is thread-safe and none waits but `wait`.

    Args:
        accept: takes a chunk into the feed of its partition; False: that feed is full now.

    """

    def __init__(self, accept: Callable[["Chunk"], bool]) -> None:
        self._accept = accept
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._changes: list[Change] = []
        self._failure: BaseException | None = None
        self._closed = False
        self.assigned: frozenset[int] = frozenset()
        self.rebalances = 0

    def assign(self, partitions: Collection[int]) -> None:
        """The group gave these partitions, and no others."""
        with self._lock:
            self.assigned = frozenset(partitions)
            self.rebalances += 1
            self._changes.append(Change(partitions, assigned=True))
        self._wake.set()

    def revoke(self, partitions: Collection[int]) -> Change:
        """The group takes these partitions: wait for the change before letting the group go on."""
        change = Change(partitions, assigned=False)
        with self._lock:
            self.assigned = self.assigned - change.partitions
            self._changes.append(change)
            if self._closed:
                change.done()
        self._wake.set()
        return change

    def close(self) -> None:
        """The main thread has let go of everything: nobody waits for it any more."""
        with self._lock:
            self._closed = True
            for change in self._changes:
                change.done()

    def deliver(self, chunk: "Chunk") -> bool:
        """Hand records over; False: deliver no more of this partition until it is resumed."""
        room = self._accept(chunk)
        self._wake.set()
        return room

    def fail(self, error: BaseException) -> None:
        """The engine ended; only the first reason is kept."""
        with self._lock:
            self._failure = self._failure or error
        self._wake.set()

    def wake(self) -> None:
        """Let the main thread look."""
        self._wake.set()

    def wait(self, timeout_seconds: float) -> None:
        """Wait until there is something to look at, or the time is over."""
        self._wake.wait(timeout_seconds)
        self._wake.clear()

    def changes(self) -> list[Change]:
        """Take the changes since the last call, in order.

        Raises:
            BaseException: what ended the engine.

        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            changes, self._changes = self._changes, []
        return changes
