"""Hooks: methods of an SDK's classes that are wrapped, and how they are put back.

A class attribute is replaced, so objects and imported names from before are observed, too. Undoing puts the
original back; where somebody else wrapped ours in between, ours stays below theirs and only passes calls on.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Self

import wrapt

Wrapper = Callable[[Callable[..., Any], Any, Any, Any], Any]
"""Called as wrapt calls: (wrapped, instance, args, kwargs)."""

Method = tuple[type, str, Wrapper]
"""The class that defines the method, the method's name, and what to put around it."""


class _Bound(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """A hooked method as it is taken from an object or a class. It pickles and copies as the method itself would.

    So it goes into a pool of processes, and with the object of the user's that holds it.
    """

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return self if owner is None else getattr(copy.deepcopy(owner, memo), self.__name__)

    def __reduce__(self) -> Any:
        owner = getattr(self.__wrapped__, "__self__", None)
        return getattr, (self._self_parent.home if owner is None else owner, self.__name__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


class _Hook(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """What stands in the class `home` in the method's place."""

    __bound_function_wrapper__ = _Bound

    def __init__(self, wrapped: Any, wrapper: Wrapper, home: type) -> None:
        super().__init__(wrapped, wrapper)
        self._self_home = home

    @property
    def home(self) -> type:
        """The class that defines the method."""
        return self._self_home


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

    ours = _Hook(original, switched, owner)
    setattr(owner, method, ours)

    def undo() -> None:
        active.clear()
        if owner.__dict__.get(method) is ours:
            setattr(owner, method, original)

    return undo
