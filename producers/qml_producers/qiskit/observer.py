"""Watches calls of `run`: passes them on unchanged, and reports each outermost one as a job.

The caller's thread only notes which calibration is in force; the job's own thread copies circuits, parameter values
and results; reading, hashing and counting are builders for the recorder's thread. No error of ours reaches the user:
each is counted by the recorder.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from qml_producers.observing.nesting import INSIDE, NESTED
from qml_producers.observing.reports import Reports
from qml_producers.qiskit.captures import CapturedResult, Kind, Submission, capture_pubs, capture_results
from qml_producers.qiskit.jobs import End, watch
from qml_producers.qiskit.measurements import JobReader, Part, common, ended, failed, measure, submitted
from qml_producers.qiskit.snapshots import Backend, Backends
from qml_producers.qiskit.sources import Sources
from quantum_mlops.sdk.recorder import Item, Recorder

_CIRCUIT_BYTES = 4096  # a small circuit and its share of the closure
_LARGE_BYTES = 1024 * 1024

Run = Callable[..., Any]
BeforeRun = Callable[[Run, Any], None]


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._reports = Reports(recorder)
        self.sources = Sources()
        self.before_sampling: list[BeforeRun] = []
        self._reader = JobReader(Backends(), partial(self._report, "job.created"))

    def call(self, kind: Kind, run: Run, primitive: Any, args: Any, kwargs: Any) -> Any:
        """Call `run(*args, **kwargs)` for the user; inside another observed call, nothing else happens."""
        if INSIDE.get() is not None or not self.recorder.enabled:
            return run(*args, **kwargs)
        if kind == "sampler":
            for before in tuple(self.before_sampling):
                before(run, primitive)
        return self.submit(kind, run, primitive, args, kwargs)

    def submit(self, kind: Kind, run: Run, primitive: Any, args: Any, kwargs: Any, role: str | None = None) -> Any:
        """Run one job and report it. Raises what `run` raises."""
        args, kwargs, given = _listed(args, kwargs)
        submission = self._submission(kind, primitive, role)
        local = LocalCall(self, submission) if _reports_itself(primitive) else None
        outside = INSIDE.set(local or NESTED)
        try:
            job = run(*args, **kwargs)
        except Exception as error:
            self._refused(submission, error)
            raise
        finally:
            INSIDE.reset(outside)
        submission.submit_seconds = submission.call.seconds
        if local is not None and submission.job_id:
            return job
        try:
            submission.job_id = job.job_id()
            self.began(submission, given)
            return watch(job, partial(self.ended, submission))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._report("job.created", error)
            return job

    def began(self, submission: Submission, pubs: Iterable[Any]) -> None:
        """Copy the pubs and report the job. Never raises."""
        try:
            submission.pubs = capture_pubs(submission.kind, pubs, self.sources)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the job is reported without circuits
            self._report("job.created", error)
        else:
            if submission.role is None:  # a canary is no part of what the gradient's method takes
                submission.call.count(*submitted(submission.pubs))
        circuits = len({pub.key for pub in submission.pubs})
        self._defer(submission, partial(self._created, submission), _CIRCUIT_BYTES * (1 + circuits), "job.created")

    def ended(self, submission: Submission, end: End) -> None:
        """Copy what the job measured and report its end. Never raises."""
        seconds = submission.call.seconds
        if end.error is not None or end.result is None:
            build = partial(self._failed, submission, seconds, end.error)
            self._defer(submission, build, _CIRCUIT_BYTES, "job.failed")
            return
        try:
            results = capture_results(submission.kind, end.result)
            shots = common(result.shots for result in results)
            size = sum(result.size_bytes for result in results)
            # Too much to queue is counted here, in the job's own thread, and queued apart from the end of the job.
            parts = measure(submission.pubs, results) if size > _LARGE_BYTES else []
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the end is reported without results
            self._report("shots.measured", error)
            results, parts, shots, size = [], [], None, 0
        if size > _LARGE_BYTES:
            results = []
        build = partial(self._completed, submission, seconds, shots, results)
        self._defer(submission, build, min(size, _LARGE_BYTES) + _CIRCUIT_BYTES, "job.completed")
        if parts:
            self._defer(submission, partial(self._measured, submission, parts), _LARGE_BYTES, "shots.measured")

    def _report(self, kind: str, error: BaseException) -> None:
        self._reports.failed(kind, error)

    def _defer(self, submission: Submission, build: Callable[[], Iterator[Item]], size: int, kind: str) -> None:
        submission.call.tell(kind, build, size)

    def _submission(self, kind: Kind, primitive: Any, role: str | None) -> Submission:
        backend, token = self._backend_of(primitive)
        return Submission(
            kind,
            type(primitive).__name__,
            type(primitive).__module__.partition(".")[0] if backend is None else backend.provider,
            backend,
            token,
            role,
            self._reports.begin(),
        )

    def _backend_of(self, primitive: Any) -> tuple[Backend | None, Any]:
        try:
            backend = getattr(primitive, "_backend", None)
            if backend is None:
                return None, None
            known = self._reader.backends.describe(backend)
            return known, known.token(backend)
        except Exception as error:  # noqa: BLE001 - a backend of the user's own may do anything: counted
            self._report("calibration.snapshot", error)
            return None, None

    def _created(self, submission: Submission) -> Iterator[Item]:
        found = self._reader.calibration(submission)
        if found is not None and submission.backend is not None:
            for snapshot in self._reader.backends.announce(submission.backend, found):
                yield Item("calibration.snapshot", snapshot, partitionkey=snapshot.backend)
        yield Item("job.created", self._reader.created(submission))

    def _completed(
        self, submission: Submission, seconds: float, shots: int | None, results: list[CapturedResult]
    ) -> Iterator[Item]:
        yield Item("job.completed", ended(submission, seconds, shots))
        if results:
            yield from self._measured(submission, measure(submission.pubs, results))

    def _measured(self, submission: Submission, parts: list[list[Part]]) -> Iterator[Item]:
        kind = "canary.measured" if submission.role == "canary" else "shots.measured"
        for measured in self._reader.measured(submission, parts):
            yield Item(kind, measured)

    def _failed(self, submission: Submission, seconds: float, error: BaseException | None) -> Iterator[Item]:
        yield Item("job.cancelled" if error is None else "job.failed", failed(submission, seconds, error))

    def _refused(self, submission: Submission, error: Exception) -> None:
        """Report a `run` that raised: there is no job, but the attempt failed."""
        if not submission.job_id:
            submission.job_id = uuid.uuid4().hex
            self.ended(submission, End(error=error))


class LocalCall:
    """A call of a primitive whose job runs in a thread of this process: that thread reports it."""

    def __init__(self, observer: Observer, submission: Submission) -> None:
        self._observer = observer
        self._submission = submission

    def claim(self, job: Any) -> bool:
        """Take the first job; a primitive submits one."""
        if self._submission.job_id:
            return False
        self._submission.job_id = job.job_id()
        return True

    def around(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Report, run, report. `args` are those of the primitive: a list of coerced pubs."""
        self._observer.began(self._submission, args[0] if args else ())
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._observer.ended(self._submission, End(error=error))
            raise
        self._observer.ended(self._submission, End(result=result))
        return result


_LOCAL_MODULES = ("qiskit.primitives.", "qiskit_aer.primitives.")


def _reports_itself(primitive: Any) -> bool:
    """Tell whether `run` of this primitive makes one PrimitiveJob over its coerced pubs: that of Qiskit and Aer."""
    return str(type(primitive).run.__module__).startswith(_LOCAL_MODULES)


def _listed(args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """The arguments with their pubs as a list where they were an iterator, which can be read only once."""
    pubs = args[0] if args else kwargs.get("pubs")
    if pubs is None or isinstance(pubs, (list, tuple)) or not hasattr(pubs, "__next__"):
        return args, kwargs, pubs
    pubs = list(pubs)
    return ((pubs, *args[1:]), kwargs, pubs) if args else (args, {**kwargs, "pubs": pubs}, pubs)
