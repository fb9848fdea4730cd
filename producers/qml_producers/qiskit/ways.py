"""How the jobs of one family of primitives are watched: those of Qiskit and Aer here, others beside them.

A way marks the caller's context while `run` runs, and says afterwards what the user is handed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from qml_producers.observing.nesting import NESTED, Call
from qml_producers.qiskit.captures import Submission
from qml_producers.qiskit.jobs import End, watch

if TYPE_CHECKING:
    from qml_producers.qiskit.observer import Observer


class Way(Protocol):
    """One family of primitives. What raises here is counted and does not reach the user."""

    def takes(self, primitive: type) -> bool:
        """Tell whether primitives of this class are of the family."""
        ...

    def enter(self, submission: Submission, primitive: Any, pubs: Any, options: Mapping[str, Any]) -> Call:
        """Note what is known before the run, given what it is called with; return what marks the caller's context."""
        ...

    def hand_out(self, submission: Submission, job: Any, pubs: Any) -> Any:
        """Report the job that `run` returned; return what the user gets in its place."""
        ...

    def give_up(self, submission: Submission) -> None:
        """Take that `run` raised: there is no job. Never raises."""
        ...


class QiskitWay:
    """Primitives of Qiskit and Aer, whose jobs report themselves, and all that no other way takes."""

    def __init__(self, observer: "Observer") -> None:
        self._observer = observer

    def takes(self, primitive: type) -> bool:  # noqa: ARG002
        """Take all."""
        return True

    def enter(self, submission: Submission, primitive: Any, pubs: Any, options: Mapping[str, Any]) -> Call:  # noqa: ARG002
        """Have the job's own thread report where it is one of this process."""
        return LocalCall(self._observer, submission) if _reports_itself(primitive) else NESTED

    def hand_out(self, submission: Submission, job: Any, pubs: Any) -> Any:
        """Return the job itself where it reports itself or can call back, else a proxy of it."""
        if submission.job_id:
            return job
        submission.job_id = job.job_id()
        self._observer.began(submission, pubs)
        return watch(job, partial(self._observer.ended, submission))

    def give_up(self, submission: Submission) -> None:
        """Do nothing: a local job that was submitted reports itself."""


class LocalCall:
    """A call of a primitive whose job runs in a thread of this process: that thread reports it."""

    def __init__(self, observer: "Observer", submission: Submission) -> None:
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
