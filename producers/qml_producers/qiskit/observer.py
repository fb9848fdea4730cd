"""Watches calls of `run`: passes them on unchanged, and reports each outermost one as a job.

The caller's thread only notes which calibration is in force; the job's own thread copies circuits, parameter values
and results; reading, hashing and counting are builders for the recorder's thread. No error of ours reaches the user:
each is counted by the recorder.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from qml_producers.qiskit.captures import CapturedResult, Kind, Pubs, Submission, capture_results
from qml_producers.qiskit.jobs import End, watch
from qml_producers.qiskit.measurements import JobReader, ended, failed, failure_of
from qml_producers.qiskit.nesting import INSIDE
from qml_producers.qiskit.snapshots import Backend, Backends
from qml_producers.qiskit.sources import Sources
from quantum_mlops.events import Job
from quantum_mlops.sdk.recorder import Item, Recorder

_CIRCUIT_BYTES = 4096  # a small circuit and its share of the closure

Run = Callable[..., Any]
BeforeRun = Callable[[Run, Any], None]


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.sources = Sources()
        self.before_sampling: list[BeforeRun] = []
        self._reader = JobReader(Backends())

    def call(self, kind: Kind, run: Run, primitive: Any, args: Any, kwargs: Any) -> Any:
        """Call `run(*args, **kwargs)` for the user; inside another observed call, nothing else happens."""
        if INSIDE.get() or not self.recorder.enabled:
            return run(*args, **kwargs)
        if kind == "sampler":
            for before in tuple(self.before_sampling):
                before(run, primitive)
        return self.submit(kind, run, primitive, args, kwargs)

    def submit(self, kind: Kind, run: Run, primitive: Any, args: Any, kwargs: Any, role: str | None = None) -> Any:
        """Run one job and report it. Raises what `run` raises."""
        args, kwargs, given = _listed(args, kwargs)
        backend, token = self._backend_of(primitive)
        pubs = Pubs(kind, given, self.sources, self._report_pubs)
        outside = INSIDE.set(pubs)
        started = time.monotonic()
        try:
            job = run(*args, **kwargs)
        except Exception as error:
            self._refused(primitive, backend, role, error)
            raise
        finally:
            INSIDE.reset(outside)
        seconds = time.monotonic() - started
        try:
            if pubs.job_id != id(job):  # no local job, whose own thread takes the pubs
                pubs = Pubs(kind, given, self.sources, self._report_pubs)
                pubs.claim(job)
                pubs.begin()
            name = _name(primitive)
            provider = _provider(primitive) if backend is None else backend.provider
            submission = Submission(job.job_id(), kind, name, provider, backend, token, role, pubs, seconds, started)
            current = self.recorder.current_run()
            step = None if current is None else current.step
            size = _CIRCUIT_BYTES * (1 + len(given) if isinstance(given, (list, tuple)) else 1)
            self.recorder.defer(partial(self._created, submission), size_bytes=size, type="job.created")
            return watch(job, partial(self._ended, submission, current, step))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self.recorder.report("instrumentation_failed", "job.created", error)
            return job

    def _report_pubs(self, error: BaseException) -> None:
        self.recorder.report("instrumentation_failed", "job.created", error)

    def _backend_of(self, primitive: Any) -> tuple[Backend | None, Any]:
        try:
            backend = getattr(primitive, "_backend", None)
            if backend is None:
                return None, None
            known = self._reader.backends.describe(backend)
            return known, known.token(backend)
        except Exception as error:  # noqa: BLE001 - a backend of the user's own may do anything: counted
            self.recorder.report("instrumentation_failed", "calibration.snapshot", error)
            return None, None

    def _created(self, submission: Submission) -> Iterator[Item]:
        if submission.backend is not None:
            found = self._reader.calibration(submission)
            if found is not None:
                for snapshot in self._reader.backends.announce(submission.backend, found):
                    yield Item("calibration.snapshot", snapshot, partitionkey=snapshot.backend)
        yield Item("job.created", self._reader.created(submission))

    def _ended(self, submission: Submission, run: Any, step: int | None, end: End) -> None:
        """Take what the job measured. In the job's own thread, or in the caller's."""
        seconds = time.monotonic() - submission.started
        try:
            results: list[CapturedResult] = []
            if end.error is None and end.result is not None:
                results = capture_results(submission.kind, end.result)
                build = partial(self._completed, submission, seconds, results)
            else:
                build = partial(self._failed, submission, seconds, end.error)
            size = _CIRCUIT_BYTES + sum(result.size_bytes for result in results)
            context = None if step is None else {"step": step}  # that of the submission; the run may have gone on
            self.recorder.defer(build, size_bytes=size, type="job.completed", run=run, context=context)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self.recorder.report("instrumentation_failed", "job.completed", error)

    def _completed(self, submission: Submission, seconds: float, results: list[CapturedResult]) -> Iterator[Item]:
        yield Item("job.completed", ended(submission, seconds, results))
        kind = "canary.measured" if submission.role == "canary" else "shots.measured"
        for measured in self._reader.measured(submission, results):
            yield Item(kind, measured)

    def _failed(self, submission: Submission, seconds: float, error: BaseException | None) -> Iterator[Item]:
        yield Item("job.cancelled" if error is None else "job.failed", failed(submission, seconds, error))

    def _refused(self, primitive: Any, backend: Backend | None, role: str | None, error: Exception) -> None:
        """Report a `run` that raised: there is no job, but the attempt failed."""
        try:
            name = _name(primitive)
            job = Job(
                job_id=uuid.uuid4().hex,
                backend=name if backend is None else backend.name,
                provider=_provider(primitive) if backend is None else backend.provider,
                primitive=name,
                role=role,
                failure=failure_of(error),
            )
            self.recorder.emit("job.failed", job)
        except Exception as ours:  # noqa: BLE001 - the user's error is on its way; this one is counted
            self.recorder.report("instrumentation_failed", "job.failed", ours)


def _listed(args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """The arguments with their pubs as a list where they were an iterator, which can be read only once."""
    pubs = args[0] if args else kwargs.get("pubs")
    if pubs is None or isinstance(pubs, (list, tuple)) or not hasattr(pubs, "__next__"):
        return args, kwargs, pubs
    pubs = list(pubs)
    return ((pubs, *args[1:]), kwargs, pubs) if args else (args, {**kwargs, "pubs": pubs}, pubs)


def _name(primitive: Any) -> str:
    return type(primitive).__name__


def _provider(primitive: Any) -> str:
    return type(primitive).__module__.partition(".")[0]
