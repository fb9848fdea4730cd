"""The hooks: which methods of qiskit-ionq are wrapped.

`IonQClient.retrieve_job` is where every status comes from, `status()` and `result()` of a job included, and it has the
service's own words: the SDK raises on a job that failed and on the word "running". `cancel_job` is answered with a
status, too.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from qml_producers.ionq.observer import Observer
from qml_producers.observing.hooks import wrap_methods


def install(observer: Observer, module: ModuleType) -> Callable[[], None]:
    """Wrap what `module`, qiskit_ionq, holds for us; return the undo. Raises what `wrap_methods` raises."""

    def run(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        return observer.run(wrapped, instance, args, kwargs)

    def retrieve(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
        document = wrapped(*args, **kwargs)
        observer.answered(args[0] if args else kwargs.get("job_id"), document)
        return document

    def cancel(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
        document = wrapped(*args, **kwargs)
        observer.answered(args[0] if args else kwargs.get("job_id"), document, in_passing=True)
        return document

    def result(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        observer.read(instance.job_id(), found)
        return found

    return wrap_methods(
        [
            (module.ionq_backend.IonQBackend, "run", run),
            (module.ionq_client.IonQClient, "retrieve_job", retrieve),
            (module.ionq_client.IonQClient, "cancel_job", cancel),
            (module.ionq_job.IonQJob, "result", result),
        ]
    )
