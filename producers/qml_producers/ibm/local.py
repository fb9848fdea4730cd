"""Local mode of the older primitives: the job that the user gets forwards to one of Qiskit's, made inside.

The inner job's thread reports, as with Qiskit's own primitives, and reads the copies that the SDK made of all inputs.
The id that the user knows is that of the outer job, which is made after the inner one was submitted: what is built
before it is known waits in the recorder's queue for another round.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from qml_producers.observing.reports import Call
from qml_producers.qiskit.captures import Origin, Submission, origins_of, take_pubs
from qml_producers.qiskit.jobs import End
from qml_producers.qiskit.observer import Observer
from quantum_mlops.sdk.recorder import Item

Build = Callable[[], Iterable[Item]]

_MOST_ROUNDS = 200  # of 50 ms: a `run` that raises after it submitted the inner job names none, and is told as failed


class ForwardedCall:
    """A call whose work is done by a job inside the one that the user gets."""

    def __init__(self, observer: Observer, submission: Submission, given: Any) -> None:
        self._late: NamedLater | None = None
        self._observer = observer
        self._submission = submission
        self._call = submission.call
        self._is_given_up = False
        self._given = given

    def claim(self, job: Any) -> bool:  # noqa: ARG002
        """Take the first job; the pubs that it came from are the user's list, which may change from now on."""
        if self._late is not None:
            return False
        self._given = tuple(self._given) if isinstance(self._given, (list, tuple)) else ()
        self._late = NamedLater(self._call)
        self._submission.call = self._late
        return True

    def named(self, job_id: str) -> bool:
        """Give the job the id that the user knows; tell whether it reports itself."""
        self._submission.job_id = job_id
        if self._late is None:
            return False
        self._late.is_named = True
        return True

    def give_up(self) -> None:
        """Tell no more of the inner job, and the failure of the call at once."""
        self._is_given_up = True
        self._submission.call = self._call

    def around(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Report, run, report. `args` are those of the inner primitive: a list of coerced pubs."""
        if not self._is_given_up:
            self._take(args[0] if args else ())
            self._observer.announce(self._submission)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._ended(End(error=error))
            raise
        self._ended(End(result=result))
        return result

    def _ended(self, end: End) -> None:
        if not self._is_given_up:
            self._observer.ended(self._submission, end)

    def _take(self, pubs: Any) -> None:
        observer, submission = self._observer, self._submission
        try:
            submission.pubs = take_pubs(submission.kind, pubs, self._origins(pubs))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the job is reported without circuits
            observer.reports.failed("job.created", error)

    def _origins(self, pubs: Any) -> list[Origin]:
        try:
            found = origins_of(self._given, self._observer.sources)
        except Exception:  # noqa: BLE001 - pubs of the user's own shape, which the SDK took: no sources are known
            found = []
        return found if len(found) == len(pubs) else [Origin(id(pub.circuit), None) for pub in pubs]


class NamedLater(Call):
    """A call whose job has no id yet when the first event is told of it."""

    __slots__ = ("_rounds", "is_named")

    def __init__(self, known: Call) -> None:
        for name in Call.__slots__:
            setattr(self, name, getattr(known, name))
        self.is_named = False
        self._rounds = _MOST_ROUNDS

    def tell(self, kind: str, build: Build, size_bytes: int) -> None:
        """Have `build` called once the job has its id."""
        super().tell(kind, partial(self._build, kind, build, size_bytes), size_bytes)

    def _build(self, kind: str, build: Build, size_bytes: int) -> Iterable[Item]:
        if self.is_named:
            return build()
        if self._rounds > 0:
            self._rounds -= 1
            self.tell(kind, build, size_bytes)
        return ()
