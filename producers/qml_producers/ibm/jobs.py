"""The jobs that users of the runtime primitives get: the SDK's own, seen through.

A job of the service is handed out as a proxy. Its questions run the SDK's own methods on the proxy, so the polls inside
`result()` are seen as well as the user's, and none is added. A local job of the executor has a future that tells its
end, but its result is decoded, in place, when the user asks: so that is watched, too.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from qiskit.primitives import PrimitiveResult

from qml_producers.ibm.life import Life
from qml_producers.observing.proxy import Proxy
from qml_producers.qiskit.captures import Submission
from qml_producers.qiskit.jobs import End
from qml_producers.qiskit.observer import Observer

Report = Callable[[BaseException], None]


def _through(name: str) -> Callable[..., Any]:
    """The SDK's method, run on the proxy, so that what it asks in turn is seen."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(type(self.__wrapped__), name)(self, *args, **kwargs)

    method.__name__ = name
    return method


class ServiceJob(Proxy):
    """A job of IBM's service."""

    def __init__(self, job: Any, life: Life, report: Report) -> None:
        super().__init__(job)
        self._self_life = life
        self._self_report = report

    cancelled = _through("cancelled")
    done = _through("done")
    errored = _through("errored")
    in_final_state = _through("in_final_state")
    running = _through("running")
    wait_for_final_state = _through("wait_for_final_state")

    def status(self) -> Any:
        """Return the job's own status."""
        word = self.__wrapped__.status()
        known = vars(self.__wrapped__)
        reason = known.get("_reason") or known.get("_error_message")
        self._self_tell(self._self_life.saw, word, reason, known.get("_reason_code"))
        return word

    def result(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's own result, or raise its own error."""
        life = self._self_life
        with life.reading():
            try:
                result = type(self.__wrapped__).result(self, *args, **kwargs)
            except Exception as error:
                self._self_tell(life.refused, vars(self.__wrapped__).get("_status"), error)
                raise
        self._self_tell(life.read, result)
        return result

    def cancel(self, *args: Any, **kwargs: Any) -> Any:
        """Cancel as the job itself does."""
        found = self.__wrapped__.cancel(*args, **kwargs)
        self._self_tell(self._self_life.cancelled)
        return found

    def metrics(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's own metrics."""
        found = self.__wrapped__.metrics(*args, **kwargs)
        self._self_tell(self._self_life.charged, found)
        return found

    def _self_tell(self, tell: Callable[..., None], *seen: Any) -> None:
        try:
            tell(*seen)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._self_report(error)


class LocalExecutorJob(Proxy):
    """A local job of the executor-based primitives."""

    def __init__(self, job: Any, observer: Observer, submission: Submission) -> None:
        super().__init__(job)
        self._self_observer = observer
        self._self_submission = submission
        self._self_ends = itertools.count()
        self._self_results = itertools.count()
        job._future.add_done_callback(self._self_done)  # noqa: SLF001 (its only way to tell its end)

    def result(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's own result, or raise its own error."""
        try:
            result = self.__wrapped__.result(*args, **kwargs)
        except Exception as error:
            self._self_end(End(error=error))
            raise
        self._self_end(None)
        if next(self._self_results) == 0 and isinstance(result, PrimitiveResult):  # not of a program of the user's own
            self._self_observer.measured(self._self_submission, result)
        return result

    def _self_done(self, future: Any) -> None:
        if future.cancelled():
            self._self_end(End())
        else:
            error = future.exception()
            self._self_end(None if error is None else End(error=error))

    def _self_end(self, end: End | None) -> None:
        """Tell the end once; None is a completion whose measurements follow when they are read."""
        if next(self._self_ends) == 0:
            observer, submission = self._self_observer, self._self_submission
            tell = partial(observer.completed, submission) if end is None else partial(observer.ended, submission, end)
            tell()
