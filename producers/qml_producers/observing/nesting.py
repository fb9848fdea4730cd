"""One user call, one job: a primitive that runs inside another is not reported again.

Primitives run in a pool thread of their own, where a context variable set by the caller is unset. So a job submitted
inside an observed call marks its pool thread, too; nothing else of the caller's context goes there, as without us.
The thread of the outermost job also reports it, before and after it runs: so the caller's thread need not, what is
copied is what runs, and the report is made when `result()` returns.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol


class Call(Protocol):
    """An observed call of `run`."""

    def claim(self, job: Any) -> bool:
        """Tell whether `job`, about to be submitted, is the job of this call."""

    def around(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call `function` in the thread of the claimed job; return or raise what it does."""


class Nested:
    """Marks a thread inside a job, whose own jobs are not the user's; `job_id` is the user's, where it is known."""

    def __init__(self, job_id: str | None = None) -> None:
        self.job_id = job_id

    def claim(self, job: Any) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def around(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call `function` and no more."""
        return function(*args, **kwargs)


NESTED = Nested()
INSIDE: ContextVar[Call | None] = ContextVar("qml_producers_inside", default=None)


def submit(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Wrap `PrimitiveJob._submit`."""
    call = INSIDE.get()
    if call is None:
        return wrapped(*args, **kwargs)
    is_claimed = call.claim(instance)
    reporter = call if is_claimed else NESTED
    mark = Nested(instance.job_id()) if is_claimed else call if isinstance(call, Nested) else NESTED
    function = instance._function  # noqa: SLF001 (the job's only way to say what it runs)

    def inside(*arguments: Any, **options: Any) -> Any:
        INSIDE.set(mark)  # the thread is the job's own and ends with it
        return reporter.around(function, arguments, options)

    instance._function = inside  # noqa: SLF001
    try:
        return wrapped(*args, **kwargs)
    finally:
        instance._function = function  # noqa: SLF001 (a pickled job carries it)
