"""Watches calls of `run`: passes them on unchanged, and reports each outermost one as a job.

The caller's thread only notes which calibration is in force; the job's own thread copies circuits, parameter values
and results; reading, hashing and counting are builders for the recorder's thread. No error of ours reaches the user:
each is counted by the recorder.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from qml_producers.observing.failures import failure_of
from qml_producers.observing.nesting import INSIDE, NESTED
from qml_producers.observing.reports import Reports
from qml_producers.qiskit.captures import CapturedResult, Kind, Submission, capture_pubs, capture_results
from qml_producers.qiskit.jobs import End
from qml_producers.qiskit.measurements import JobReader, Part, common, failed, measure, submitted
from qml_producers.qiskit.snapshots import Backend, Backends, Calibration
from qml_producers.qiskit.sources import Sources
from qml_producers.qiskit.ways import QiskitWay, Way
from quantum_mlops.events import Failure
from quantum_mlops.sdk.recorder import Item, Recorder

_CIRCUIT_BYTES = 4096  # a small circuit and its share of the closure
_LARGE_BYTES = 1024 * 1024

Run = Callable[..., Any]
BeforeRun = Callable[[Run, Any], None]


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.reports = Reports(recorder)
        self.sources = Sources()
        self.before_sampling: list[BeforeRun] = []
        self.ways: list[Way] = [QiskitWay(self)]
        self._way_of: dict[type, Way] = {}
        self._reader = JobReader(Backends(), partial(self._report, "job.created"))

    def add_way(self, way: Way) -> None:
        """Watch the primitives that `way` takes in its way from now on."""
        self.ways.insert(0, way)
        self._way_of.clear()

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
        way = self._enter(submission, primitive, given, kwargs)
        outside = INSIDE.set(submission.marker)
        try:
            job = run(*args, **kwargs)
        except Exception as error:
            way.give_up(submission)
            submission.marker = None
            self._refused(submission, error)
            raise
        finally:
            INSIDE.reset(outside)
        submission.submit_seconds = submission.call.seconds
        try:
            return way.hand_out(submission, job, given)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._report("job.created", error)
            return job
        finally:
            submission.marker = None  # it refers to the submission: no cycle for each job

    def began(self, submission: Submission, pubs: Iterable[Any]) -> None:
        """Copy the pubs and report the job. Never raises."""
        try:
            submission.pubs = capture_pubs(submission.kind, pubs, self.sources, submission.service.default_shots)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the job is reported without circuits
            self._report("job.created", error)
        self.announce(submission)

    def announce(self, submission: Submission) -> None:
        """Report the job with the pubs that were copied. Never raises."""
        _count(submission)
        circuits = len({pub.key for pub in submission.pubs})
        self._defer(submission, partial(self._created, submission), _CIRCUIT_BYTES * (1 + circuits), "job.created")

    def ended(self, submission: Submission, end: End) -> None:
        """Copy what the job measured and report its end. Never raises."""
        seconds = submission.call.seconds
        if end.result is None:
            failure = end.failure if end.error is None else failure_of(end.error)
            build = partial(self._failed, submission, seconds, failure)
            self._defer(submission, build, _CIRCUIT_BYTES, "job.failed")
            return
        results, shots = self._capture(submission, end.result)
        size = sum(result.size_bytes for result in results)
        small = results if size <= _LARGE_BYTES else []
        build = partial(self._completed, submission, seconds, shots, small)
        self._defer(submission, build, (size if small else 0) + _CIRCUIT_BYTES, "job.completed")
        if results and not small:
            self._measure(submission, results, size)

    def completed(self, submission: Submission) -> None:
        """Report that a job completed whose result nobody has read. Never raises."""
        build = partial(self._completed, submission, submission.call.seconds, None, [])
        self._defer(submission, build, _CIRCUIT_BYTES, "job.completed")

    def measured(self, submission: Submission, result: Any) -> None:
        """Copy what a job measured whose end was reported before, and report it. Never raises."""
        results, _ = self._capture(submission, result)
        if results:
            self._measure(submission, results, sum(each.size_bytes for each in results))

    def describe(self, backend: Any) -> tuple[Backend | None, Any]:
        """Return what is known of a backend object, and the token of the calibration in force. Never raises."""
        if backend is None:
            return None, None
        try:
            known = self._reader.backends.describe(backend)
            return known, known.token(backend)
        except Exception as error:  # noqa: BLE001 - a backend of the user's own may do anything: counted
            self._report("calibration.snapshot", error)
            return None, None

    def _report(self, kind: str, error: BaseException) -> None:
        self.reports.failed(kind, error)

    def _defer(self, submission: Submission, build: Callable[[], Iterator[Item]], size: int, kind: str) -> None:
        submission.call.tell(kind, build, size)

    def _submission(self, kind: Kind, primitive: Any, role: str | None) -> Submission:
        backend, token = self.describe(getattr(primitive, "_backend", None))
        return Submission(
            kind,
            type(primitive).__name__,
            type(primitive).__module__.partition(".")[0] if backend is None else backend.provider,
            backend,
            token,
            role,
            self.reports.begin(),
        )

    def _enter(self, submission: Submission, primitive: Any, pubs: Any, options: Mapping[str, Any]) -> Way:
        kind = type(primitive)
        way = self._way_of.get(kind)
        if way is None:
            way = self._way_of[kind] = next(way for way in self.ways if way.takes(kind))
        try:
            submission.marker = way.enter(submission, primitive, pubs, options)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            submission.marker = NESTED
            self._report("job.created", error)
        return way

    def _capture(self, submission: Submission, result: Any) -> tuple[list[CapturedResult], int | None]:
        try:
            results = capture_results(submission.kind, result)
            return results, common(each.shots for each in results)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the end is reported without results
            self._report("shots.measured", error)
            return [], None

    def _measure(self, submission: Submission, results: list[CapturedResult], size: int) -> None:
        """Report what was captured; too much to queue is counted here, in the thread that has it."""
        build = partial(self._counted, submission, results)
        if size > _LARGE_BYTES:
            try:
                build = partial(self._measured, submission, measure(submission.pubs, results))
            except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
                self._report("shots.measured", error)
                return
        self._defer(submission, build, min(size, _LARGE_BYTES) + _CIRCUIT_BYTES, "shots.measured")

    def _created(self, submission: Submission) -> Iterator[Item]:
        yield from self._announced(submission, self._reader.calibration(submission))
        yield Item("job.created", self._reader.created(submission))

    def _announced(self, submission: Submission, found: Calibration | None) -> Iterator[Item]:
        if found is not None and submission.backend is not None:
            for snapshot in self._reader.backends.announce(submission.backend, found):
                yield Item("calibration.snapshot", snapshot, partitionkey=snapshot.backend)

    def _look_again(self, submission: Submission) -> None:
        """Note which calibration is in force at the job's end, or soon after: as much later as this thread is."""
        try:
            token = None if submission.backend is None else submission.backend.token_now()
        except Exception as error:  # noqa: BLE001 - a backend of the user's own may do anything: counted
            self._report("calibration.snapshot", error)
            return
        if token is not submission.token:
            submission.token_after = token

    def _completed(
        self, submission: Submission, seconds: float, shots: int | None, results: list[CapturedResult]
    ) -> Iterator[Item]:
        self._look_again(submission)
        yield from self._announced(submission, self._reader.calibration_after(submission))
        yield Item("job.completed", self._reader.ended(submission, seconds, shots))
        if results:
            yield from self._counted(submission, results)

    def _counted(self, submission: Submission, results: list[CapturedResult]) -> Iterator[Item]:
        yield from self._measured(submission, measure(submission.pubs, results))

    def _measured(self, submission: Submission, parts: list[list[Part]]) -> Iterator[Item]:
        kind = "canary.measured" if submission.role == "canary" else "shots.measured"
        for measured in self._reader.measured(submission, parts):
            yield Item(kind, measured)

    def _failed(self, submission: Submission, seconds: float, failure: Failure | None) -> Iterator[Item]:
        yield Item("job.cancelled" if failure is None else "job.failed", failed(submission, seconds, failure))

    def _refused(self, submission: Submission, error: Exception) -> None:
        """Report a `run` that raised: there is no job, but the attempt failed."""
        if not submission.job_id:
            submission.job_id = uuid.uuid4().hex
            self.ended(submission, End(error=error))


_observers: WeakValueDictionary[int, Observer] = WeakValueDictionary()


def observer_of(recorder: Recorder) -> Observer:
    """Return the observer of a recorder, the same one while somebody holds it: instrumentations share canaries."""
    known = _observers.get(id(recorder))
    if known is None or known.recorder is not recorder:
        known = _observers[id(recorder)] = Observer(recorder)
    return known


def _count(submission: Submission) -> None:
    """Count the executions for the step; a canary's are no part of what the gradient's method takes."""
    if submission.role is None and submission.pubs:
        submission.call.count(*submitted(submission.pubs))


def _listed(args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """The arguments with their pubs as a list where they were an iterator, which can be read only once."""
    pubs = args[0] if args else kwargs.get("pubs")
    if pubs is None or isinstance(pubs, (list, tuple)) or not hasattr(pubs, "__next__"):
        return args, kwargs, pubs
    pubs = list(pubs)
    return ((pubs, *args[1:]), kwargs, pubs) if args else (args, {**kwargs, "pubs": pubs}, pubs)
