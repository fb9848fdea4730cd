"""Sessions and batches: when they opened and closed, and how long they did nothing.

A session on IBM's hardware is charged by wall time, whatever runs in it. It is idle here while no job of this process
is known to be unfinished in it, from the end of its first job on. While it is idle that is told every minute, by a
thread of our own: nobody else runs then. Time is that of this process; nothing is asked of the service.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from qml_producers.observing.reports import Call, Reports
from quantum_mlops.events import Session
from quantum_mlops.sdk.recorder import Item

TELL_SECONDS = 60.0

_EVENT_BYTES = 512
_MOST_SESSIONS = 256


class Usage:
    """One session: when it opened, which of its jobs are unfinished, how long it was idle."""

    def __init__(self, session_id: str, backend: str | None, opened: float | None, call: Call) -> None:
        self.session_id = session_id
        self.backend = backend
        self.call = call
        self._opened = opened
        self._jobs: set[str] = set()
        self._idle_since: float | None = None
        self._idle_before = 0.0

    def joined(self, job_id: str, now: float) -> None:
        """Take a job that was submitted."""
        if self._idle_since is not None:
            self._idle_before += now - self._idle_since
            self._idle_since = None
        self._jobs.add(job_id)

    def left(self, job_id: str, now: float) -> None:
        """Take the end of a job."""
        self._jobs.discard(job_id)
        if not self._jobs and self._idle_since is None:
            self._idle_since = now

    def idle(self, now: float) -> Session | None:
        """Return how long it has been idle now; None where it is not."""
        return None if self._idle_since is None else self._told(now, now - self._idle_since)

    def total(self, now: float) -> Session:
        """Return its whole time, and how much of it was idle."""
        return self._told(now, self._idle_before + (0.0 if self._idle_since is None else now - self._idle_since))

    def opened(self) -> Session:
        """Return what is said of it at its beginning."""
        return Session(session_id=self.session_id, provider="ibm", backend=self.backend)

    def _told(self, now: float, idle_seconds: float) -> Session:
        return Session(
            session_id=self.session_id,
            provider="ibm",
            backend=self.backend,
            wall_seconds=None if self._opened is None else now - self._opened,
            idle_seconds=idle_seconds,
        )


class Sessions:
    """The open sessions of this process. Thread-safe; `clock` counts seconds."""

    def __init__(
        self, reports: Reports, tell_seconds: float = TELL_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reports = reports
        self._tell_seconds = tell_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Usage] = {}
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def opened(self, session_id: str, backend: str | None) -> None:
        """Take a session that this process opened."""
        with self._lock:
            usage = self._known(session_id, backend, self._clock())
        self._tell("session.opened", usage, usage.opened())
        self._watch()

    def joined(self, session_id: str, backend: str | None, job_id: str) -> None:
        """Take a job that was submitted in a session, which another process may have opened."""
        with self._lock:
            self._known(session_id, backend, None).joined(job_id, self._clock())
        self._watch()

    def left(self, session_id: str, job_id: str) -> None:
        """Take the end of a job."""
        with self._lock:
            usage = self._open.get(session_id)
            if usage is not None:
                usage.left(job_id, self._clock())

    def closed(self, session_id: str) -> None:
        """Take the end of a session; idempotent."""
        with self._lock:
            usage = self._open.pop(session_id, None)
            if not self._open:
                self._changed.set()
        if usage is not None:
            self._tell("session.closed", usage, usage.total(self._clock()))

    def tell_idle(self) -> None:
        """Tell which sessions are idle now, and how long."""
        with self._lock:
            now = self._clock()
            found = [(usage, told) for usage in self._open.values() if (told := usage.idle(now)) is not None]
        for usage, told in found:
            self._tell("session.idle", usage, told)

    def _known(self, session_id: str, backend: str | None, opened: float | None) -> Usage:
        usage = self._open.get(session_id)
        if usage is None:
            if len(self._open) >= _MOST_SESSIONS:  # never closed: the oldest is forgotten
                self._open.pop(next(iter(self._open)))
            usage = self._open[session_id] = Usage(session_id, backend, opened, self._reports.begin())
        return usage

    def _tell(self, kind: str, usage: Usage, told: Session) -> None:
        usage.call.tell(kind, partial(_items, kind, told), _EVENT_BYTES)

    def _watch(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # a forked child has none
                self._changed = threading.Event()
                self._thread = threading.Thread(target=self._tell_while_open, name="qml-sessions", daemon=True)
                self._thread.start()

    def _tell_while_open(self) -> None:
        while self._open:
            if self._changed.wait(self._tell_seconds):
                self._changed.clear()
            else:
                self.tell_idle()


def _items(kind: str, told: Any) -> Iterator[Item]:
    yield Item(kind, told)
