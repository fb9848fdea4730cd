"""What is new, to many listeners: numbered notices, a short memory for those who come back, a bound for each.

`publish` may be called from any thread and never waits for a listener. Nothing is kept while nobody has listened
for ten seconds; who comes back later, or was too slow, is told to look anew (`resync`).
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from qml_daemon.query.shown import show_alert, show_finding, show_job, show_run

NOTICES_KEPT = 1000
NOTICES_QUEUED = 256
MOST_LISTENERS = 100
REMEMBER_SECONDS = 10.0

_SHOW: dict[str, Callable[..., Struct]] = {
    "run": show_run,
    "job": show_job,
    "finding": show_finding,
    "alert": show_alert,
}
_logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Notice(Struct, frozen=True):
    """One thing that is new. `kind` is run, job, finding or alert, `body` its JSON."""

    number: int
    kind: str
    project: str
    body: bytes


class Listener:
    """One client's queue, made on the event loop that empties it. `take` and `wait` there, `offer` from anywhere."""

    def __init__(self, project: str | None) -> None:
        self._project = project
        self._queue: deque[Notice] = deque()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self.lost = False

    def offer(self, notice: Notice) -> None:
        """Queue a notice that this client may see; where the queue is full it is emptied and counts as lost."""
        if self._project is not None and notice.project != self._project:
            return
        if len(self._queue) >= NOTICES_QUEUED:
            self._queue.clear()
            self.lost = True
        self._queue.append(notice)
        with contextlib.suppress(RuntimeError):  # its loop ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._news.set)

    def take(self) -> tuple[bool, list[Notice]]:
        """Return whether notices were lost before these, and these."""
        self._news.clear()
        lost, self.lost = self.lost, False
        notices = []
        while self._queue:
            notices.append(self._queue.popleft())
        return lost, notices

    async def wait(self) -> None:
        """Wait for a notice."""
        await self._news.wait()


class Feed:
    """The notices of one daemon. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._birth = os.urandom(4).hex()
        self._lock = threading.Lock()
        self._number = 0
        self._kept: deque[Notice] = deque(maxlen=NOTICES_KEPT)
        self._first = 1
        self._listeners: list[Listener] = []
        self._left = -REMEMBER_SECONDS
        self.overflows = 0

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens, or did a moment ago."""
        return bool(self._listeners) or self._monotonic() - self._left < REMEMBER_SECONDS

    def publish(self, kind: str, rows: Sequence[Struct]) -> None:
        """Tell the listeners of rows of the views, or of alerts. Does not block."""
        with self._lock:
            if not self.is_heard:
                if self._kept:
                    self._kept.clear()
                self._number += len(rows)
                self._first = self._number + 1
                return
            show = _SHOW[kind]
            for row in rows:
                item = show(row)
                self._number += 1
                project = str(getattr(item, "project", None) or getattr(row, "labels", {}).get("project", ""))
                notice = Notice(self._number, kind, project, _encode(item))
                if len(self._kept) == NOTICES_KEPT:
                    self._first = self._kept[0].number + 1
                self._kept.append(notice)
                for listener in self._listeners:
                    was_lost = listener.lost
                    listener.offer(notice)
                    if listener.lost and not was_lost:
                        self._note_overflow()

    def join(self, project: str | None, last_id: str | None) -> Listener | None:
        """Return a new listener, from `last_id` on where that is remembered; None where there are too many."""
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                return None
            if not self.is_heard:
                self._kept.clear()
                self._first = self._number + 1
            listener = Listener(project)
            if last_id is not None:
                seen = self._parse(last_id)
                if seen is None or not self._first - 1 <= seen <= self._number:
                    listener.lost = True
                else:
                    for notice in self._kept:
                        if notice.number > seen:
                            listener.offer(notice)
            self._listeners.append(listener)
            return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener; idempotent."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._left = self._monotonic()

    def name(self, number: int) -> str:
        """Return the id of a notice, as `Last-Event-ID` brings it back."""
        return f"{self._birth}-{number}"

    def last(self) -> str:
        """Return the id of the last notice there was."""
        return self.name(self._number)

    def _note_overflow(self) -> None:
        self.overflows += 1
        if self.overflows == 1:
            _logger.warning("a listener of /api/v1/stream is too slow; it is told to look anew")

    def _parse(self, text: str) -> int | None:
        birth, _, number = text.partition("-")
        if birth != self._birth or not number.isascii() or not number.isdecimal() or len(number) > 18:  # noqa: PLR2004 - 64 bits
            return None
        return int(number)
