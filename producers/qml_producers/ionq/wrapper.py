"""Explicit wrappers, for those who do not want `autolog` to patch classes."""

from typing import Any

from qiskit_ionq.ionq_backend import IonQBackend

from qml_producers.ionq.observer import Observer
from qml_producers.observing.proxy import Watched


class WatchedClient(Watched):
    """A client whose looks at jobs are observed."""

    def retrieve_job(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's document."""
        document = self.__wrapped__.retrieve_job(*args, **kwargs)
        self._self_observer.answered(args[0] if args else kwargs.get("job_id"), document)
        return document

    def cancel_job(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the service says of the cancellation."""
        document = self.__wrapped__.cancel_job(*args, **kwargs)
        self._self_observer.answered(args[0] if args else kwargs.get("job_id"), document, in_passing=True)
        return document


class WatchedJob(Watched):
    """A job whose results are observed."""

    def result(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's own result, or raise its own error."""
        found = self.__wrapped__.result(*args, **kwargs)
        self._self_observer.read(self.__wrapped__.job_id(), found)
        return found

    def get_counts(self, *args: Any, **kwargs: Any) -> Any:
        """Return the counts of the result, which is observed."""
        return type(self.__wrapped__).get_counts(self, *args, **kwargs)

    def get_probabilities(self, *args: Any, **kwargs: Any) -> Any:
        """Return the probabilities of the result, which is observed."""
        return type(self.__wrapped__).get_probabilities(self, *args, **kwargs)

    def get_memory(self, *args: Any, **kwargs: Any) -> Any:
        """Return the memory of the result, which is observed."""
        return type(self.__wrapped__).get_memory(self, *args, **kwargs)


class WatchedBackend(Watched):
    """A backend whose `run` is observed."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped backend does: same results, same exceptions."""
        observer = self._self_observer
        job = observer.run(self.__wrapped__.run, self.__wrapped__, args, kwargs)
        if observer.submissions.of(job.job_id()) is None:
            return job
        job._client = WatchedClient(job._client, observer)  # noqa: SLF001 - where all its statuses come from
        return WatchedJob(job, observer)


def wrap_backend(backend: object, observer: Observer) -> WatchedBackend | None:
    """Return the observed backend; None where `backend` is none of IonQ's."""
    if isinstance(backend, WatchedBackend):
        return backend
    return WatchedBackend(backend, observer) if isinstance(backend, IonQBackend) else None
