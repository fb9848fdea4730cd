"""A stand-in for one object, for those who do not want `autolog` to patch classes."""

import copy
from typing import Any, Self

import wrapt


class Watched(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """In all but what a subclass observes the wrapped object, `isinstance` included. It pickles and copies as that.

    A copy is watched, too; what was pickled comes back bare.
    """

    def __init__(self, wrapped: Any, observer: Any) -> None:
        super().__init__(wrapped)
        self._self_observer = observer

    def __copy__(self) -> Self:
        return type(self)(copy.copy(self.__wrapped__), self._self_observer)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(copy.deepcopy(self.__wrapped__, memo), self._self_observer)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)
