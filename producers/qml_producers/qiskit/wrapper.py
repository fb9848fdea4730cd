"""An explicit wrapper, for those who do not want `autolog` to patch classes."""

import copy
from typing import Any

import wrapt
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2

from qml_producers.qiskit.captures import Kind
from qml_producers.qiskit.observer import Observer


class WatchedPrimitive(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """A primitive whose `run` is observed; in everything else, `isinstance` included, it is the wrapped one."""

    def __init__(self, primitive: Any, observer: Observer) -> None:
        super().__init__(primitive)
        self._self_observer = observer
        self._self_kind: Kind = "sampler" if isinstance(primitive, BaseSamplerV2) else "estimator"

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped primitive does: same result, same exceptions."""
        return self._self_observer.call(self._self_kind, self.__wrapped__.run, self.__wrapped__, args, kwargs)

    def __copy__(self) -> "WatchedPrimitive":
        return WatchedPrimitive(copy.copy(self.__wrapped__), self._self_observer)

    def __deepcopy__(self, memo: dict[int, Any]) -> "WatchedPrimitive":
        return WatchedPrimitive(copy.deepcopy(self.__wrapped__, memo), self._self_observer)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


def wrap_primitive(primitive: object, observer: Observer) -> WatchedPrimitive | None:
    """Return the observed primitive; None where `primitive` is no V2 primitive."""
    if isinstance(primitive, WatchedPrimitive):
        return primitive
    return WatchedPrimitive(primitive, observer) if isinstance(primitive, (BaseSamplerV2, BaseEstimatorV2)) else None
