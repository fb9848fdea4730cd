"""Runs: what events belong to, as a context manager, a decorator, or a handle for notebooks.

Which run is current: the innermost one entered in this context (threads and asyncio tasks that copy
the context inherit it); else the one started last in this process and not ended (plain threads, other
notebook cells); else one implicit run per process. A forked child goes on in its parent's run but
never ends it.
"""

import contextlib
import functools
import inspect
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from msgspec.structs import replace

from quantum_mlops.events import Context, Failure, RunEnded, RunHeartbeat, RunStarted
from quantum_mlops.sdk.entry import Entry, Item
from quantum_mlops.sdk.generator import span_async_generator, span_generator
from quantum_mlops.sdk.notice import Notices, describe
from quantum_mlops.sdk.redaction import message_of
from quantum_mlops.sdk.software import code_version, sdk_versions
from quantum_mlops.sdk.step import Steps
from quantum_mlops.sdk.tracking import ADDRESS_TAG, find_mlflow_run, find_tracking_address

if TYPE_CHECKING:
    from quantum_mlops.sdk.instrumentation import Canary
    from quantum_mlops.sdk.recorder import Recorder

HEARTBEAT_SECONDS = 30.0
_MAX_LABEL = 512
_CANCELLED = ("KeyboardInterrupt", "CancelledError", "GeneratorExit")

Status = Literal["completed", "failed", "cancelled"]
_F = TypeVar("_F", bound=Callable[..., Any])


class Run:
    """One training, validation or serving run. Made by `quantum_mlops.run`.

    Nothing here raises or blocks. `step`, where set, is carried by the jobs and metrics of the run
    that have no step of their own.
    """

    def __init__(
        self,
        recorder: "Recorder",
        name: str,
        *,
        experiment: str | None = None,
        variant: str | None = None,
        tags: Mapping[str, Any] | None = None,
        mlflow_run: str | None = None,
    ) -> None:
        self.name = _label(name)
        self.id = ""
        self.nonce = ""
        self.step: int | None = None
        self.steps = Steps()
        self.active = False
        self.implicit = False
        self.parent: Run | None = None
        self.canaries: list[Canary] = []
        self._labels = Context(
            experimentid=None if experiment is None else _label(experiment),
            variant=None if variant is None else _label(variant),
            mlflowrunid=None if mlflow_run is None else _label(mlflow_run),
        )
        self.context = self._labels
        self._recorder = recorder
        self._tags = _tags(tags, recorder.notices)
        self._started = self._beat = 0.0
        self._asked = False

    def start(self) -> Self:
        """Begin; nothing happens where it has begun already. A run that ended begins anew, with a new id."""
        self._asked = True
        recorder = self._recorder
        if self.active or not recorder.start():
            return self
        book = recorder.runs
        self.nonce = recorder.nonce
        self.id = f"{self.nonce}-{next(book.numbers)}"
        mlflow_run = self._labels.mlflowrunid or self._look("MLflow run", find_mlflow_run)
        self.context = replace(self._labels, runid=self.id, mlflowrunid=mlflow_run)
        if self.steps.begun:
            self.steps, self.step = Steps(), None
        self._started = self._beat = time.monotonic()
        self.active = True
        book.enter(self)
        recorder.defer(self._describe, run=self, type="run.started")
        return self

    def _look(self, what: str, find: Callable[[], str | None]) -> str | None:
        """Return what `find` sees of the user's MLflow; where that raises it is said once and nothing is known."""
        try:
            return find()
        except Exception as error:  # noqa: BLE001 - a foreign module's fault: said, and never the host's
            self._recorder.notices.once(what, f"cannot see the {what}: {describe(error)}")
            return None

    def _describe(self) -> list[Item]:
        address = self._look("MLflow tracking address", find_tracking_address)
        started = RunStarted(
            name=self.name,
            tags=self._tags if address is None else self._tags | {ADDRESS_TAG: address},
            code_version=code_version(),
            sdk_versions=sdk_versions(),
            host=os.uname().nodename,
            implicit=self.implicit,
        )
        return [Item("run.started", started)]

    def end(self, status: Status = "completed", failure: Failure | None = None) -> None:
        """End; nothing happens where it is not running (said once if it never began), or another process began it."""
        recorder = self._recorder
        if not self.active:
            if not self._asked and recorder.enabled:
                recorder.notices.once(
                    "never begun",
                    f"run {self.name!r} ends but never began, so nothing was recorded as part of it: "
                    f"use `quantum_mlops.run({self.name!r}).start()` or `with quantum_mlops.run({self.name!r}):`",
                )
            return
        for canary in self.canaries:
            canary.cancel()
        self.canaries.clear()
        self.steps.end()
        if self.nonce == recorder.nonce:
            ended = RunEnded(status=status, duration_seconds=time.monotonic() - self._started, failure=failure)
            recorder.emit("run.ended", ended, run=self)
        self.active = False
        recorder.runs.leave(self)

    def log_metrics(
        self,
        values: Mapping[str, Any],
        step: int | None = None,
        phase: Literal["train", "validate", "serve"] | None = None,
    ) -> bool:
        """Log metrics of this run, whatever run is current; see `quantum_mlops.log_metrics`."""
        return self._recorder.log_metrics(values, step, phase, run=self if self.active else None)

    def heartbeat(self, now: float) -> Entry | None:
        """Return the heartbeat that is due at the monotonic time `now`, or None. For the writer thread."""
        if not self.active or self.nonce != self._recorder.nonce or now - self._beat < HEARTBEAT_SECONDS:
            return None
        self._beat = now
        data = RunHeartbeat(uptime_seconds=now - self._started)
        return Entry(time.time_ns(), "run.heartbeat", data, None, self, self.step, None)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status, failure = describe_end(error)
        self.end(status, failure)

    def __call__(self, function: _F) -> _F:
        """Decorate a function, coroutine function, generator function or async generator function.

        Each call is one run of this name. That of a generator lasts from its first item to its end
        (left early it is cancelled) and is current while the body runs, not in the loop that takes its items.
        """
        if inspect.isgeneratorfunction(function):
            return span_generator(function, self._recorder.runs, self._another)  # type: ignore[return-value]
        if inspect.isasyncgenfunction(function):
            return span_async_generator(function, self._recorder.runs, self._another)  # type: ignore[return-value]
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_coroutine(*args: Any, **kwargs: Any) -> Any:
                with self._another():
                    return await function(*args, **kwargs)

            return run_coroutine  # type: ignore[return-value]

        @functools.wraps(function)
        def run_function(*args: Any, **kwargs: Any) -> Any:
            with self._another():
                return function(*args, **kwargs)

        return run_function  # type: ignore[return-value]

    def _another(self) -> "Run":
        made = Run(self._recorder, self.name, tags=self._tags)
        made._labels = self._labels
        return made

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.id or 'not started'}>"


class RunBook:
    """The runs of one recorder: which are active in this process, and which is current where."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.active: list[Run] = []
        self._parked: list[Run] = []
        self._implicit: dict[str, Run] = {}
        self._current: ContextVar[Run | None] = ContextVar("quantum_mlops_run", default=None)
        self.entered = self._current.get
        """The run that this context entered last, ended or not: `emit` asks this first, without a frame of Python."""

    def current(self) -> Run | None:
        """Return the run that an event of the caller belongs to, or None where none was begun. Lock-free."""
        run = self._entered()
        if run is None:
            active = self.active
            if active:
                with contextlib.suppress(IndexError):  # another thread ended it meanwhile
                    return active[-1]
            return self._implicit.get("run")
        return run

    def _entered(self) -> Run | None:
        """Return the innermost run of this context that has not ended."""
        run = self._current.get()
        while run is not None and not run.active:
            run = run.parent
        return run

    def implicit(self, recorder: "Recorder") -> Run:
        """Return this process's implicit run, begun at its first use."""
        run = self._implicit.get("run")
        if run is None:
            made = Run(recorder, os.path.basename(sys.argv[0] if sys.argv else "") or "python")  # noqa: PTH119
            made.implicit = True
            run = self._implicit.setdefault("run", made)
            if run is made:
                run.start()
        return run

    def enter(self, run: Run) -> None:
        """Make a run current here, and for threads that have none of their own."""
        if not run.implicit:
            run.parent = self._entered()
            self._current.set(run)
            self.active.append(run)

    def leave(self, run: Run) -> None:
        """Make the run before it current again."""
        if self._current.get() is run:
            self._current.set(run.parent)
        for runs in (self.active, self._parked):
            with contextlib.suppress(ValueError):  # in the other one, or ended twice at once
                runs.remove(run)

    def park(self, run: Run, outer: Run | None) -> Run | None:
        """Make `outer` current here while a generator's run waits; return what was current."""
        inner = self._current.get()
        self._current.set(outer)
        if run.active:
            self._parked.append(run)
            with contextlib.suppress(ValueError):  # ended meanwhile by another thread
                self.active.remove(run)
        return inner

    def unpark(self, run: Run, inner: Run | None) -> Run | None:
        """Make `inner` current here, the generator's run or one its body began; return what was current."""
        outer = self._current.get()
        self._current.set(inner)
        if run.active:
            self.active.append(run)
            with contextlib.suppress(ValueError):  # ended meanwhile by another thread
                self._parked.remove(run)
        return outer

    def heartbeats(self, now: float) -> list[Entry]:
        """Return the heartbeats that are due at the monotonic time `now`. For the writer thread."""
        return [beat for run in self._owned() if (beat := run.heartbeat(now)) is not None]

    def _owned(self) -> list[Run]:
        return [*self.active, *self._parked, *self._implicit.values()]

    def end_all(self) -> None:
        """End what this process left open: at its exit."""
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        status, failure = describe_end(error)
        for run in reversed(self._owned()):
            run.end(status, failure)

    def forget_implicit(self) -> None:
        """Let this process begin an implicit run of its own: after a fork."""
        self._implicit = {}


def describe_end(error: BaseException | None) -> tuple[Status, Failure | None]:
    """Return how a run ended that `error` passed through.

    >>> describe_end(ValueError("bad angle"))
    ('failed', Failure(code='ValueError', message='bad angle'))
    >>> describe_end(KeyboardInterrupt())[0]
    'cancelled'
    """
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "completed", None
    kind = type(error)
    status: Status = "cancelled" if kind.__name__ in _CANCELLED else "failed"
    return status, Failure(code=kind.__qualname__[:_MAX_LABEL], message=message_of(error))


def _label(value: object) -> str:
    """Return the text of a name or tag, whatever a caller passed as one."""
    try:
        return str(value)[:_MAX_LABEL].encode(errors="replace").decode()
    except Exception:  # noqa: BLE001 - a user's own __str__; its type says enough
        return f"<{type(value).__name__}>"


def _tags(tags: Mapping[str, Any] | None, notices: Notices) -> dict[str, str]:
    try:
        return {_label(key): _label(value) for key, value in dict(tags or {}).items()}
    except Exception as error:  # noqa: BLE001 - a user's own mapping: said, and the run has no tags
        notices.once("tags", f"tags of a run are a mapping of names to texts: {describe(error)}")
        return {}
