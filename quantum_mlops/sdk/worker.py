"""The recorder's one thread: wakes every 50 ms, hands the queue to the delivery, beats for runs.

`drain` also runs in a caller's thread where no thread can be had (interpreter shutdown, a process
limit); the lock around it is never touched by `emit`.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from quantum_mlops.sdk.delivery import Delivery
from quantum_mlops.sdk.entry import Deferred, Entry, Ticket
from quantum_mlops.sdk.notice import describe, say
from quantum_mlops.sdk.shipping import Outbound

POLL_SECONDS = 0.05
_REPORT_SECONDS = 1.0


class Worker:
    """Drains one queue into one delivery. `heartbeats` returns the entries due at a monotonic time.

    Where the target is a service, `outbound` brings there what the delivery wrote.
    """

    def __init__(
        self,
        queue: deque[Any],
        delivery: Delivery,
        heartbeats: Callable[[float], Iterable[Entry]],
        outbound: Outbound,
    ) -> None:
        self.delivery = delivery
        self.outbound = outbound
        self.kept_bytes = 0
        self._queue = queue
        self._heartbeats = heartbeats
        self._lock = threading.Lock()
        self._sleep = threading.Lock()  # released to wake the thread; an Event costs more when idle
        self._sleep.acquire()
        self._stopping = False
        self._reported = 0.0
        self._thread = threading.Thread(target=self._work, name="quantum-mlops", daemon=True)

    def start(self) -> bool:
        """Start the thread; False where the system gives none (then only `flush` and `stop` write)."""
        try:
            self._thread.start()
        except RuntimeError as error:
            say(f"no thread for the recorder: {describe(error)}; events are written at the end of the program")
            return False
        return True

    def flush(self, deadline_seconds: float) -> bool:
        """Return whether everything queued before the call was written, or at the service, within the deadline."""
        until = time.monotonic() + deadline_seconds
        return self._flush(deadline_seconds) and self.outbound.drain(until - time.monotonic())

    def _flush(self, deadline_seconds: float) -> bool:
        if threading.current_thread() is self._thread:
            return False  # a builder asks: it would wait for itself
        ticket = Ticket()
        self._queue.append((0, "", ticket, None, None, None, None))
        if self._thread.is_alive():
            self._wake()
            ticket.done.wait(max(0.0, deadline_seconds))
        else:
            self._drain(time.monotonic() + deadline_seconds)
        return ticket.done.is_set() and not ticket.failed

    def stop(self, deadline_seconds: float) -> bool:
        """Write what is queued, seal the segments and end; False where the deadline came first.

        With a service as target it then waits for that one, at most the settings' `flush_seconds`.
        """
        written = self._stop(deadline_seconds)
        self.outbound.finish(ended=written)
        return written

    def abandon(self) -> None:
        """Forget a parent process's files and connection: after a fork."""
        self.delivery.abandon()
        self.outbound.abandon()

    def _stop(self, deadline_seconds: float) -> bool:
        self._stopping = True
        if self._thread.is_alive():
            self._wake()
            self._thread.join(max(0.0, deadline_seconds))
            return not self._thread.is_alive()
        self._finish(time.monotonic() + deadline_seconds)
        return not self._queue

    def _work(self) -> None:
        while not self._stopping:
            self._sleep.acquire(timeout=POLL_SECONDS)
            if self._queue or self.delivery.pending or time.monotonic() - self._reported >= _REPORT_SECONDS:
                self._guard(self._drain)
        self._guard(self._finish)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # awake already
            self._sleep.release()

    def _guard(self, work: Callable[[float | None], None]) -> None:
        try:
            work(None)
        except Exception as error:  # noqa: BLE001 - out of memory or a fault of ours: counted, the next round goes on
            self.delivery.refuse("writer_failed", "unknown", error)

    def _finish(self, until: float | None) -> None:
        self._drain(until)
        with self._lock:
            self.delivery.report_losses()
            self.delivery.close()

    def _drain(self, until: float | None) -> None:
        """Take what is queued now, at most until a monotonic time."""
        with self._lock:
            for beat in self._heartbeats(time.monotonic()):
                self.delivery.take(beat)
            for _ in range(len(self._queue)):
                entry = Entry(*self._queue.popleft())
                self.delivery.take(entry)
                if type(entry.data) is Deferred:
                    self.kept_bytes -= entry.data.size_bytes
                if until is not None and time.monotonic() > until:
                    break
            if not self._queue:
                self.kept_bytes = 0  # additions of two threads at once may get lost: this ends the error
            now = time.monotonic()
            if now - self._reported >= _REPORT_SECONDS:
                self._reported = now
                self.delivery.report_losses()
            self.delivery.write()
            self.delivery.renew_leases()
