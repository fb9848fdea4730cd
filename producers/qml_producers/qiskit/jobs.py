"""The end of a job, seen without asking for it: exactly one report, whether or not the user reads the result.

The jobs of the primitives that we hook report themselves (see `nesting`). Of the others, some hold a future that
calls back; the rest are handed out as a proxy that reports when the user calls `result()`. A result is never read on
our own account: some may be read only once.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from qml_producers.observing.proxy import Proxy
from quantum_mlops.events import Failure


class End(NamedTuple):
    """How a job ended: with a result, with an error or a failure that is known without one, or cancelled (none)."""

    result: Any = None
    error: BaseException | None = None
    failure: Failure | None = None


OnEnd = Callable[[End], None]


def watch(job: Any, on_end: OnEnd) -> Any:
    """Return what to give the user in place of `job`: the job itself where it can call back. `on_end` never raises."""
    future = getattr(job, "_future", None)
    if future is None or not hasattr(future, "add_done_callback"):
        return WatchedJob(job, on_end)

    def ended(done: Any) -> None:
        if done.cancelled():
            on_end(End())
            return
        error = done.exception()
        on_end(End(error=error) if error is not None else End(result=done.result()))

    future.add_done_callback(ended)
    return job


class WatchedJob(Proxy):
    """A job whose first `result()` is reported."""

    def __init__(self, job: Any, on_end: OnEnd) -> None:
        super().__init__(job)
        self._self_on_end = on_end
        self._self_calls = itertools.count()

    def result(self, *args: Any, **kwargs: Any) -> Any:
        """Return the job's own result, or raise its own error."""
        try:
            result = self.__wrapped__.result(*args, **kwargs)
        except Exception as error:
            self._report(End(error=error))
            raise
        self._report(End(result=result))
        return result

    def _report(self, end: End) -> None:
        if next(self._self_calls) == 0:
            self._self_on_end(end)
