"""Local mode of the older primitives: the job that the user gets forwards to one of Qiskit's, made inside.

The SDK copies all inputs in the caller's thread, so those copies are what is read, later and elsewhere. The inner job's
thread sees the end before `result()` returns, but only the caller's thread learns the id of the outer job, which the
user knows: whoever comes second reports.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from qml_producers.qiskit.captures import Origin, Submission, origins_of, take_pubs
from qml_producers.qiskit.jobs import End
from qml_producers.qiskit.observer import Observer


class ForwardedCall:
    """A call whose work is done by a job inside the one that the user gets."""

    def __init__(self, observer: Observer, submission: Submission, given: Any) -> None:
        self.pubs: Any = None
        self._observer = observer
        self._submission = submission
        self._given = given
        self._origins: list[Origin] = []
        self._lock = threading.Lock()
        self._end: End | None = None
        self._is_named = False

    def claim(self, job: Any) -> bool:
        """Take the first job, with the pubs that it got."""
        if self.pubs is not None or not job._args:  # noqa: SLF001 (its only way to say what it runs)
            return False
        self.pubs = job._args[0]  # noqa: SLF001
        try:
            self._origins = origins_of(self._given, self._observer.sources)
        except Exception as error:  # noqa: BLE001 - ours: the SDK took these pubs; the job is reported without sources
            self._observer.reports.failed("job.created", error)
            self._origins = [Origin(id(pub.circuit), None) for pub in self.pubs]
        return True

    def around(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run, and note the end."""
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._came(End(error=error))
            raise
        self._came(End(result=result))
        return result

    def named(self, job_id: str) -> None:
        """Report the job, and its end where that has come."""
        submission = self._submission
        submission.job_id = job_id
        take = partial(take_pubs, submission.kind, self.pubs, self._origins)
        self._observer.began_with(submission, take, len(self._origins))
        with self._lock:
            self._is_named = True
            end = self._end
        if end is not None:
            self._observer.ended(submission, end)

    def _came(self, end: End) -> None:
        with self._lock:
            self._end = end
            is_named = self._is_named
        if is_named:
            self._observer.ended(self._submission, end)
