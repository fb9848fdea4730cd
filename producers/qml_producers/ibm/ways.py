"""How jobs of the runtime primitives are watched: on the service, in local mode, the older and the newer ones."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from qml_producers.ibm.jobs import LocalExecutorJob, ServiceJob
from qml_producers.ibm.life import Life
from qml_producers.ibm.local import ForwardedCall
from qml_producers.ibm.mitigation import mitigation_of
from qml_producers.ibm.programs import capture_program, is_program
from qml_producers.ibm.sessions import Sessions
from qml_producers.observing.nesting import INSIDE, NESTED, Call, Nested
from qml_producers.qiskit.captures import Submission
from qml_producers.qiskit.jobs import watch
from qml_producers.qiskit.observer import Observer
from qml_producers.qiskit.snapshots import RemoteBackend

_PACKAGE = "qiskit_ibm_runtime."


class ServiceCall(Nested):
    """A call that goes to the service. While it lasts, the SDK itself asks how many jobs are pending."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission

    def saw_status(self, status: Any) -> None:
        """Take the answer to the SDK's own question for the backend's status."""
        pending = getattr(status, "pending_jobs", None)
        if isinstance(pending, int) and pending >= 0:
            self.submission.service.pending_jobs = pending


class RuntimeWay:
    """Primitives of qiskit-ibm-runtime."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.sessions = Sessions(observer.reports)

    def takes(self, primitive: type) -> bool:
        """Take the SDK's own classes and those that derive from them."""
        return any(base.__module__.startswith(_PACKAGE) for base in primitive.__mro__)

    def enter(self, submission: Submission, primitive: Any, pubs: Any, options: Mapping[str, Any]) -> Call:
        """Note the options, which the user may change; tell local mode from the service."""
        if primitive._service.is_local:  # noqa: SLF001 (a public question would ask the server)
            if not hasattr(primitive, "_program_id"):  # executor-based: options act in this process, too
                self._note(submission, primitive, options)
                return NESTED
            return ForwardedCall(self._observer, submission, pubs)
        self._note(submission, primitive, options)
        return ServiceCall(submission)

    def hand_out(self, submission: Submission, job: Any, pubs: Any) -> Any:
        """Report the job; return what sees its end where it cannot call back."""
        call = submission.marker
        submission.job_id = job.job_id()
        if isinstance(call, ForwardedCall) and call.named(submission.job_id):
            return job
        observer = self._observer
        if isinstance(call, ServiceCall):
            return self._service_job(submission, job, pubs)
        self._began(submission, pubs)
        if getattr(job, "_primitive", None) == "executor":
            return LocalExecutorJob(job, observer, submission)
        return watch(job, partial(observer.ended, submission))

    def give_up(self, submission: Submission) -> None:
        """Let go of an inner job that was submitted before `run` raised."""
        if isinstance(submission.marker, ForwardedCall):
            submission.marker.give_up()

    def _note(self, submission: Submission, primitive: Any, options: Mapping[str, Any]) -> None:
        service = submission.service
        service.mitigation = mitigation_of(primitive.options)
        shots = options.get("shots") or getattr(primitive.options, "default_shots", None)
        service.default_shots = shots if isinstance(shots, int) else None

    def _began(self, submission: Submission, pubs: Any) -> None:
        if is_program(pubs):
            submission.pubs = capture_program(pubs, self._observer.sources)
            self._observer.announce(submission)
        else:
            self._observer.began(submission, pubs)

    def _service_job(self, submission: Submission, job: Any, pubs: Any) -> Any:
        known = vars(job)  # attributes that are missing would be asked of the server
        self._place(submission, known.get("_backend"))
        service = submission.service
        service.session_id = known.get("_session_id")
        self._began(submission, pubs)
        if service.session_id is not None:
            backend = None if submission.backend is None else submission.backend.name
            self.sessions.joined(service.session_id, backend, submission.job_id)
        life = Life(self._observer, submission, self.sessions)
        return ServiceJob(job, life, partial(self._observer.reports.failed, "job.completed"))

    def _place(self, submission: Submission, backend: Any) -> None:
        """Say where the job went: in a dry run that is another backend; of the same one the user's object knows more.

        The SDK may have made an object of its own, without the calibration, and the user's may have read it meanwhile.
        """
        given = submission.backend
        ran, token = self._observer.describe(backend)
        if given is None or ran is None or ran.name != given.name:
            submission.backend, submission.token = ran, token
        elif isinstance(given, RemoteBackend) and submission.token is None:
            submission.token = given.token_now()


def see_status(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    """Wrap `IBMBackend.status`: what the SDK asks while it submits a job is noted with the job."""
    status = wrapped(*args, **kwargs)
    call = INSIDE.get()
    if isinstance(call, ServiceCall):
        call.saw_status(status)
    return status
