"""The recorder: takes events in the caller's thread without a lock or a system call.

`emit` appends to a deque; one daemon thread wakes every 50 ms, gives the events their ids and writes
them to the spool. It is started at the first use, and again after a fork, where the nonce is renewed
and what the parent has queued stays the parent's. Nothing here raises into the host.

The queue is bounded by 94,254 entries, whose data at an estimated 178 bytes each are 16 MiB (measured:
23 MiB of heap full of metrics), and by 16 MiB that deferred builders say they keep alive. What comes
when it is full is dropped and counted.
"""

import atexit
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from quantum_mlops.sdk.delivery import Delivery
from quantum_mlops.sdk.destination import Destination
from quantum_mlops.sdk.entry import Builder, Deferred, Item
from quantum_mlops.sdk.losses import Losses, tell_loss
from quantum_mlops.sdk.notice import Notices, describe, say
from quantum_mlops.sdk.packing import event_size_bytes
from quantum_mlops.sdk.run import Run, RunBook
from quantum_mlops.sdk.scalars import pack_metrics
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.sdk.shipping import Outbound
from quantum_mlops.sdk.stats import Stats, make_stats
from quantum_mlops.sdk.worker import Worker
from quantum_mlops.spool.segment import this_process
from quantum_mlops.version import __version__

if TYPE_CHECKING:
    from quantum_mlops.sdk.autolog import Autolog

__all__ = ["Item", "Recorder", "Stats", "event_size_bytes"]

EXIT_SECONDS = 2.0
QUEUE_BYTES = 16 * 1024 * 1024
ENTRY_BYTES = 178
QUEUE_ENTRIES = QUEUE_BYTES // ENTRY_BYTES
RUN_BOUNDS = ("run.started", "run.ended")
RUN_RESERVE = 1000  # places beyond the limit, kept for the bounds of runs

_now = time.time_ns


class Recorder:
    """Records events of one process; every method is thread-safe, never raises, and only `flush` and `close` block.

    Without `settings` they come from the environment at the first use.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.runs = RunBook()
        self.autolog: Autolog | None = None
        self.metric_listeners: list[Callable[[Mapping[str, Any]], None]] = []
        self.destination = Destination(settings)
        self._closed = False
        self._renew()
        os.register_at_fork(after_in_child=_renewal(weakref.ref(self)))

    def _renew(self) -> None:
        self.nonce = os.urandom(6).hex()
        self._queue: deque[Any] = deque()
        self._limit = 0  # 0 leads `emit` to its slow path: not started, closed, disabled, or just forked
        self._losses = Losses()
        self.notices = Notices()
        self._starting = threading.Lock()
        self._worker: Worker | None = None

    def renew_in_child(self) -> None:
        """Become this process's own recorder: after a fork. Starts nothing."""
        worker = self._worker
        self._renew()
        self.runs.forget_implicit()
        if worker is not None:
            worker.abandon()

    @property
    def project(self) -> str:
        """Owner of the events."""
        return self.destination.settings.project

    @property
    def enabled(self) -> bool:
        """False where nothing is recorded: disabled, or closed. Instrumentations then only pass calls on."""
        return not self._closed and self.destination.settings.enabled

    def start(self) -> bool:
        """Start the thread, once; False where the recorder is disabled or closed."""
        if self._limit:
            return True
        if not self.enabled:
            return False
        if not self._starting.acquire(blocking=False):
            return True  # another thread is at it, or this one, interrupted
        try:
            if not self._limit:
                settings = self.destination.settings
                writer = this_process(self.nonce, __version__)
                delivery = Delivery(settings, writer, self._losses, self.notices)
                outbound = Outbound(settings, self.nonce, self.notices)
                self._worker = Worker(self._queue, delivery, self.runs.heartbeats, outbound)
                self._worker.start()
                _at_exit(self.close)
                self._limit = QUEUE_ENTRIES
        except Exception as error:  # noqa: BLE001 - the host comes first: said, and nothing is recorded
            self._closed = True
            say(f"cannot start: {describe(error)}; nothing is recorded")
            return False
        finally:
            self._starting.release()
        return True

    def emit(
        self,
        kind: str,
        data: object,
        *,
        partitionkey: str | None = None,
        context: Mapping[str, Any] | None = None,
        time: int | None = None,
        run: Run | None = None,
        step: int | None = None,
    ) -> bool:
        """Queue one event; False where it was dropped, which is counted.

        `kind` is a short name of the contract ("job.completed") or any CloudEvents type, `data` its
        struct (or a mapping), checked in the writer thread and not to be changed afterwards.
        `partitionkey` None is the project; `time` (nanoseconds UTC) None is now; `run` None is the current
        one, `step` None the run's.
        """
        try:
            if len(self._queue) >= self._limit and not self._admit(kind):
                return False
            if run is None:
                run = self.runs.entered()
                if run is None or not run.active:
                    run = self.runs.current() or self.runs.implicit(self)
            at, step = time or _now(), run.step if step is None else step
            self._queue.append((at, kind, data, partitionkey, run, step, context))
        except Exception as error:  # noqa: BLE001 - never into the host: counted
            self.report("invalid", kind, error)
            return False
        return True

    def defer(
        self,
        builder: Builder,
        *,
        size_bytes: int = 256,
        context: Mapping[str, Any] | None = None,
        type: str = "deferred",  # noqa: A002 - the word of the contract
        run: Run | None = None,
    ) -> bool:
        """Queue work for the writer thread: `builder()` returns the `Item`s to send.

        Its events get the time and the run of this call. `size_bytes` estimates what the builder keeps
        alive. A builder that raises is one loss ("builder_failed") of `type`.
        """
        self.start()
        worker = self._worker
        if worker is not None:
            if worker.kept_bytes + size_bytes > QUEUE_BYTES:
                self._losses.count("queue_full", type)
                return False
            worker.kept_bytes += size_bytes
        return self.emit(type, Deferred(builder, size_bytes), context=context, run=run)

    def log_metrics(
        self,
        values: Mapping[str, Any],
        step: int | None = None,
        phase: Literal["train", "validate", "serve"] | None = None,
        *,
        run: Run | None = None,
    ) -> bool:
        """Queue one `metric.logged` event; see `quantum_mlops.log_metrics`."""
        if not self._limit and not self._admit("metric.logged"):
            return False
        try:
            data, refused = pack_metrics(values, phase)
        except Exception as error:  # noqa: BLE001 - a user's own mapping or number: counted
            self.report("invalid", "metric.logged", error)
            return False
        if refused:
            self.report("invalid", "metric.logged", TypeError(f"no number: {', '.join(refused[:10])}"))
        if data is None:
            return False
        for listener in self.metric_listeners:
            listener(values)
        return self.emit("metric.logged", data, run=run, step=step)

    def report(self, reason: str, kind: str, error: BaseException | None = None, *, each: bool = False) -> None:
        """Count one loss that an instrumentation met, and say it once a reason and type.

        With `each` every different error is said, up to 8: for what a person did, not for what repeats itself.
        """
        tell_loss(self._losses, self.notices, reason, kind, error, each=each)

    def run(
        self,
        name: str,
        *,
        experiment: str | None = None,
        variant: str | None = None,
        tags: Mapping[str, Any] | None = None,
        mlflow_run: str | None = None,
    ) -> Run:
        """Return a run of this recorder, not begun yet; see `quantum_mlops.run`."""
        return Run(self, name, experiment=experiment, variant=variant, tags=tags, mlflow_run=mlflow_run)

    def current_run(self) -> Run | None:
        """Return the run that an event of the caller would belong to, or None where none was begun."""
        return self.runs.current()

    def flush(self, deadline_seconds: float = EXIT_SECONDS) -> bool:
        """Block until what was queued is in the spool, or at the service; False where that failed or took too long."""
        worker = self._worker
        return True if worker is None else worker.flush(deadline_seconds)

    def close(self, deadline_seconds: float = EXIT_SECONDS) -> bool:
        """End the runs, write everything, seal the segments and stop for good; runs by itself at exit. Idempotent.

        With a service as target it then waits for that one, at most the settings' `flush_seconds`.
        """
        if self._closed:
            return True
        self.runs.end_all()
        self._closed = True
        self._limit = 0
        worker = self._worker
        if worker is None or worker.stop(deadline_seconds):
            return True
        say(f"{len(self._queue)} events were not written within {deadline_seconds:g} s before the end")
        return False

    def stats(self) -> Stats:
        """Return the counters now."""
        worker = self._worker
        return make_stats(
            self.destination.settings,
            self._losses.total(),
            None if worker is None else worker.delivery,
            None if worker is None else worker.outbound.shipper,
            queued=len(self._queue),
            closed=self._closed,
        )

    def _admit(self, kind: str) -> bool:
        """Decide where the queue seems full: start what is not started, count what is lost."""
        if self._limit:
            if kind in RUN_BOUNDS and len(self._queue) < self._limit + RUN_RESERVE:
                return True
            self._losses.count("queue_full", kind)
            return False
        if self.start():
            return True
        if self.destination.settings.enabled:
            self._losses.count("closed", kind)
        return False


def _renewal(reference: "weakref.ref[Recorder]") -> Callable[[], None]:
    def renew() -> None:
        recorder = reference()
        if recorder is not None:
            recorder.renew_in_child()

    return renew


def _at_exit(close: Callable[[], object]) -> None:
    """Have `close` called at the end: by atexit, or as multiprocessing's children end, without atexit."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, close, exitpriority=-100)
    atexit.unregister(close)
    atexit.register(close)
