"""Hooks: methods of an SDK's classes that are wrapped, and how they are put back.

A class attribute is replaced, so objects and imported names from before are observed, too. Undoing puts the
original back; where somebody else wrapped ours in between, ours stays below theirs and only passes calls on.
"""

from collections.abc import Callable, Iterable
from typing import Any

import wrapt

Wrapper = Callable[[Callable[..., Any], Any, Any, Any], Any]
"""Called as wrapt calls: (wrapped, instance, args, kwargs)."""

Method = tuple[type, str, Wrapper]
"""The class that defines the method, the method's name, and what to put around it."""


def wrap_methods(methods: Iterable[Method]) -> Callable[[], None]:
    """Wrap methods, and return the undo, which is idempotent.

    Raises:
        AttributeError: a class lacks a method of its own by that name; nothing stays wrapped.

    """
    undos: list[Callable[[], None]] = []

    def undo() -> None:
        while undos:
            undos.pop()()

    try:
        for owner, method, wrapper in methods:
            undos.append(_wrap(owner, method, wrapper))
    except Exception:
        undo()
        raise
    return undo


def _wrap(owner: type, method: str, wrapper: Wrapper) -> Callable[[], None]:
    original = owner.__dict__.get(method)
    if original is None:
        raise AttributeError(f"{owner.__module__}.{owner.__qualname__} defines no {method}()")
    active = [True]

    def switched(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapper(wrapped, instance, args, kwargs) if active else wrapped(*args, **kwargs)

    ours = wrapt.FunctionWrapper(original, switched)
    setattr(owner, method, ours)

    def undo() -> None:
        active.clear()
        if owner.__dict__.get(method) is ours:
            setattr(owner, method, original)

    return undo
