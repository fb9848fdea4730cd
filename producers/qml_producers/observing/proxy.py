"""Stand-ins for single objects: of jobs, and of what a user wraps who does not want `autolog` to patch classes."""

import copy
from typing import Any

import wrapt


class Proxy(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """In all but what a subclass adds the wrapped object, `isinstance` included. It pickles and copies as that."""

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


class Watched(Proxy):
    """A proxy whose subclass tells `self._self_observer` of some calls. Its copies are watched, too."""

    def __init__(self, wrapped: Any, observer: Any) -> None:
        super().__init__(wrapped)
        self._self_observer = observer

    def __copy__(self) -> Any:
        return type(self)(copy.copy(self.__wrapped__), self._self_observer)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return type(self)(copy.deepcopy(self.__wrapped__, memo), self._self_observer)
