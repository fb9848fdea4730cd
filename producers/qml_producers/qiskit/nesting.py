"""One user call, one job: a primitive that runs inside another is not reported again.

Primitives run in a pool thread of their own, where a context variable set by the caller is unset. So a job submitted
inside an observed call marks its pool thread, too; nothing else of the caller's context goes there, as without us.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

INSIDE: ContextVar[bool] = ContextVar("qml_producers_qiskit_inside", default=False)


def submit(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Wrap `PrimitiveJob._submit`."""
    if not INSIDE.get():
        return wrapped(*args, **kwargs)
    function = instance._function  # noqa: SLF001 (the job's only way to say what it runs)

    def inside(*arguments: Any, **options: Any) -> Any:
        INSIDE.set(True)  # the thread is the job's own and ends with it
        return function(*arguments, **options)

    instance._function = inside  # noqa: SLF001
    try:
        return wrapped(*args, **kwargs)
    finally:
        instance._function = function  # noqa: SLF001 (a pickled job carries it)
