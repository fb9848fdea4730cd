"""One user call, one job: a primitive that runs inside another is not reported again.

Primitives run in a pool thread of their own, where a context variable set by the caller is unset. So a job submitted
inside an observed call marks its pool thread, too; nothing else of the caller's context goes there, as without us.
The thread of the outermost job also takes the copies of its pubs, just before it runs them: that is work which the
caller's thread need not do, and what is copied is what runs.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol


class Call(Protocol):
    """An observed call of `run`."""

    def claim(self, job: Any) -> bool:
        """Tell whether `job` is the first one submitted in this call."""

    def begin(self) -> None:
        """Do what the thread of the first job does first. Must not raise."""


class Nested:
    """Marks a thread inside a job; it takes nothing."""

    def claim(self, job: Any) -> bool:  # noqa: ARG002
        """Return False: the job inside another belongs to that one."""
        return False

    def begin(self) -> None:
        """Take nothing."""


NESTED = Nested()
INSIDE: ContextVar[Call | None] = ContextVar("qml_producers_qiskit_inside", default=None)


def submit(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Wrap `PrimitiveJob._submit`."""
    call = INSIDE.get()
    if call is None:
        return wrapped(*args, **kwargs)
    begin = call.begin if call.claim(instance) else None
    function = instance._function  # noqa: SLF001 (the job's only way to say what it runs)

    def inside(*arguments: Any, **options: Any) -> Any:
        INSIDE.set(NESTED)  # the thread is the job's own and ends with it
        if begin is not None:
            begin()
        return function(*arguments, **options)

    instance._function = inside  # noqa: SLF001
    try:
        return wrapped(*args, **kwargs)
    finally:
        instance._function = function  # noqa: SLF001 (a pickled job carries it)
