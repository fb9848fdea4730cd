"""Watches qiskit-ionq: what the user submits, what the user's own polling sees, what the user reads.

No request is made, no result is read and no random number drawn on our account. The caller's thread only copies;
reading and counting are builders for the recorder's thread. No error of ours reaches the user: each is counted.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from qml_producers.ionq.documents import STATUSES, sight_of
from qml_producers.ionq.jobs import JobReader, Measured, failed, seen
from qml_producers.ionq.submissions import Submission, Submissions, backend_name, take
from qml_producers.ionq.wrong_bits import WARNING, gives_wrong_bits
from qml_producers.observing.failures import failure_of
from qml_producers.observing.nesting import INSIDE, NESTED
from qml_producers.observing.reports import Reports
from qml_producers.qiskit.observer import observer_of
from quantum_mlops.events import Job
from quantum_mlops.events.job_status import TERMINAL_STATUSES
from quantum_mlops.sdk.recorder import Item, Recorder

_CIRCUIT_BYTES = 4096
_DOCUMENT_BYTES = 4096
_KEY_BYTES = 80  # of a count and its key in a dictionary, and the digits of the key

Run = Callable[..., Any]


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.submissions = Submissions()
        self._reports = Reports(recorder)
        self._qiskit = observer_of(recorder)  # held: it knows what circuits were transpiled from
        self._reader = JobReader(partial(self._reports.failed, "job.created"))

    def run(self, run: Run, backend: Any, args: Any, kwargs: Any) -> Any:
        """Call `run(*args, **kwargs)` for the user; inside another observed call only look for wrong bits."""
        if not self.recorder.enabled:
            return run(*args, **kwargs)
        given = args[0] if args else kwargs.get("run_input")
        outer = INSIDE.get()
        if outer is not None:
            self._warn(outer, backend, given, kwargs)
            return run(*args, **kwargs)
        submission = Submission(self._reports.begin(), str(getattr(backend, "name", "ionq")))
        reset = INSIDE.set(NESTED)
        try:
            job = run(*args, **kwargs)
        except Exception as error:
            self._refused(submission, error)
            raise
        finally:
            INSIDE.reset(reset)
        try:
            take(submission, job, given, self._qiskit.sources)
            if kwargs.get("memory") is True and gives_wrong_bits(submission.backend, given):
                submission.warnings = [WARNING]
            self.submissions.add(submission)
            executions = len(submission.circuits)
            submission.call.count(executions, executions * (submission.shots or 0))
            size = _CIRCUIT_BYTES * (1 + executions)
            submission.call.tell("job.created", partial(self._created, submission), size)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("job.created", error)
        return job

    def answered(self, job_id: Any, document: Any, *, in_passing: bool = False) -> None:
        """Report what the service just told the user of a job, where its status is news. Never raises.

        What it says `in_passing`, without the job's document, is told again with the facts when those are seen.
        """
        submission = self.submissions.of(job_id)
        if submission is None or not isinstance(document, dict):
            return
        try:
            word = document.get("status")
            if word == submission.word or not isinstance(word, str):
                return
            submission.word = submission.word if in_passing else word
            build = partial(self._seen, submission, dict(document), submission.call.seconds)
            submission.call.tell(f"job.{STATUSES.get(word, 'unknown')}", build, _DOCUMENT_BYTES)
            if word in {"failed", "canceled"} and not in_passing:
                self.submissions.forget(submission)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("job.running", error)

    def read(self, job_id: Any, result: Any) -> None:
        """Report what the user just read, the first time. Never raises."""
        submission = self.submissions.of(job_id)
        if submission is None or result is None or not self.submissions.forget(submission):
            return
        try:
            measured: list[Measured] = [dict(each.data.counts) for each in result.results]
            size = _CIRCUIT_BYTES + sum(_KEY_BYTES * len(counts) for counts in measured)
            submission.call.tell("shots.measured", partial(self._measured, submission, measured), size)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("shots.measured", error)

    def _warn(self, outer: Any, backend: Any, given: Any, kwargs: Mapping[str, Any]) -> None:
        """Tell the job around this run that its bits are wrong."""
        try:
            job_id = getattr(outer, "job_id", None)
            if kwargs.get("memory") is not True or not isinstance(job_id, str):
                return
            options = {**vars(backend.options), **kwargs}
            if not gives_wrong_bits(backend_name(str(backend.name), options), given):
                return
            warned = Job(job_id=job_id, backend=str(backend.name), warnings=[WARNING])
            self._reports.begin().tell("job.running", lambda: [Item("job.running", warned)], _DOCUMENT_BYTES)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("job.running", error)

    def _refused(self, submission: Submission, error: Exception) -> None:
        """Report a `run` that raised: there is no job, but the attempt failed."""
        submission.job_id = uuid.uuid4().hex
        data = failed(submission, submission.call.seconds, failure_of(error))
        submission.call.tell("job.failed", lambda: [Item("job.failed", data)], _DOCUMENT_BYTES)

    def _created(self, submission: Submission) -> Iterator[Item]:
        yield Item("job.created", self._reader.created(submission))

    def _seen(self, submission: Submission, document: Mapping[str, Any], seconds: float) -> Iterator[Item]:
        sight = sight_of(document)
        if sight.status != "created":  # as `run` told already; what is foretold comes with the next
            yield Item(
                f"job.{sight.status}", seen(submission, sight, seconds if sight.status in TERMINAL_STATUSES else None)
            )

    def _measured(self, submission: Submission, measured: Iterable[Measured]) -> Iterator[Item]:
        for found in self._reader.measured(submission, measured):
            yield Item("shots.measured", found)
