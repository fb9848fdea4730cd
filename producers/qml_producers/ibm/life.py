"""The life of one job on IBM's service, as far as the user's own questions show it.

Whatever the user asks (a status, metrics, the result) is answered by the SDK, and the answer is also told: each step
once. Nothing here asks on its own account.
"""

import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from qiskit.primitives import PrimitiveResult

from qml_producers.ibm.costs import cost_of_job
from qml_producers.ibm.sessions import Sessions
from qml_producers.ibm.statuses import failure_code, status_of, text_of
from qml_producers.ibm.usage import read_metrics
from qml_producers.observing.failures import failure_of
from qml_producers.prices import open_for_host
from qml_producers.qiskit.captures import Submission
from qml_producers.qiskit.jobs import End
from qml_producers.qiskit.observer import Observer
from quantum_mlops.events import Failure, Job
from quantum_mlops.events.job_status import TERMINAL_STATUSES
from quantum_mlops.sdk.recorder import Item

SEEN_WITHIN_SECONDS = 5.0
"""The start of a job was seen if the question before, not yet "running", was at most so long ago."""

_EVENT_BYTES = 1024
_MAX_LABEL = 512
_MAX_MESSAGE = 2000


class Life:
    """What was told of a job. Thread-safe: each step is taken by whoever sees it first."""

    def __init__(self, observer: Observer, submission: Submission, sessions: Sessions) -> None:
        self._observer = observer
        self._submission = submission
        self._sessions = sessions
        self._told: dict[str, object] = {}
        self._submitted = self._looked = time.monotonic()
        self.readings: set[object] = set()

    def saw(self, word: Any, reason: str | None = None, reason_code: Any = None) -> None:
        """Take the status that the SDK just answered, and why the job failed where it did."""
        status = status_of(word)
        now = time.monotonic()
        before, self._looked = self._looked, now
        if status in TERMINAL_STATUSES:
            if not self.readings:  # else `result()` is about to say more
                why = (reason or text_of(word))[:_MAX_MESSAGE]
                self._end(status, Failure(code=failure_code(word, reason_code), message=why))
            return
        if status == "created" or not self._first(status if status != "unknown" else f"unknown {text_of(word)}"):
            return
        if status == "running" and now - before <= SEEN_WITHIN_SECONDS:
            self._submission.service.queue_seconds = now - self._submitted
        self._tell(f"job.{status}", text_of(word)[:_MAX_LABEL] if status == "unknown" else None)

    def reading(self) -> "Reading":
        """Return the context of one `result()` of the user's."""
        return Reading(self)

    def read(self, result: Any) -> None:
        """Take the result that the user got: its measurements are told once."""
        is_news = self._first("result") and isinstance(result, PrimitiveResult)  # else a decoder of the user's own
        if self._first("end"):
            if is_news:
                self._observer.ended(self._submission, End(result=result))
            else:
                self._observer.completed(self._submission)
            self._left()
        elif is_news:
            self._observer.measured(self._submission, result)

    def refused(self, word: Any, error: Exception) -> None:
        """Take an error of `result()`: the job has ended only where the SDK's last status says so."""
        status = status_of(word)
        if status in TERMINAL_STATUSES:
            self._end(status, failure_of(error))

    def cancelled(self) -> None:
        """Take a cancellation that the service accepted."""
        self._end("cancelled", None)

    def charged(self, metrics: Any) -> None:
        """Take the answer to the user's question for the metrics; a final bill is told once."""
        if not isinstance(metrics, Mapping):
            return
        usage, service = read_metrics(metrics), self._submission.service
        service.times = usage.times or service.times
        service.queue_seconds = service.queue_seconds if usage.queue_seconds is None else usage.queue_seconds
        service.qpu_seconds = service.qpu_seconds if usage.qpu_seconds is None else usage.qpu_seconds
        if usage.is_final and self._first("billed"):
            self._tell("job.billed", None)

    def _first(self, step: str) -> bool:
        mine = object()
        return self._told.setdefault(step, mine) is mine

    def _end(self, status: str, failure: Failure | None) -> None:
        if not self._first("end"):
            return
        if status == "completed":
            self._observer.completed(self._submission)
        elif status == "cancelled":
            self._observer.ended(self._submission, End())
        else:
            self._observer.ended(self._submission, End(failure=failure))
        self._left()

    def _left(self) -> None:
        service = self._submission.service
        if service.session_id is not None:
            self._sessions.left(service.session_id, self._submission.job_id)

    def _tell(self, kind: str, text: str | None) -> None:
        self._submission.call.tell(kind, partial(self._state, kind, text), _EVENT_BYTES)

    def _state(self, kind: str, text: str | None) -> Iterator[Item]:
        submission, service = self._submission, self._submission.service
        backend = None if submission.backend is None else submission.backend.name
        cost = None
        if kind == "job.billed":
            cost = cost_of_job(
                open_for_host(os.environ),
                "completed",
                backend=backend,
                session_id=service.session_id,
                seconds=service.qpu_seconds,
                times=service.times,
            )
        yield Item(
            kind,
            Job(
                job_id=submission.job_id,
                provider=submission.provider,
                backend=backend,
                provider_job_id=submission.job_id,
                session_id=service.session_id,
                role=submission.role,
                times=service.times,
                qpu_seconds=service.qpu_seconds,
                queue_seconds=service.queue_seconds,
                cost=cost,
                status_text=text,
            ),
        )


class Reading:
    """While it lasts, what the polls of `result()` see of the end is left to `result()` to tell."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def __enter__(self) -> None:
        self._life.readings.add(self)

    def __exit__(self, *_: object) -> None:
        self._life.readings.discard(self)
