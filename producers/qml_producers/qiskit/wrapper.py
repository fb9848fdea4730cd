"""An explicit wrapper, for those who do not want `autolog` to patch classes."""

from typing import Any

from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2

from qml_producers.observing.proxy import Watched
from qml_producers.qiskit.captures import Kind
from qml_producers.qiskit.observer import Observer


class WatchedPrimitive(Watched):
    """A primitive whose `run` is observed; in everything else, `isinstance` included, it is the wrapped one."""

    def __init__(self, primitive: Any, observer: Observer) -> None:
        super().__init__(primitive, observer)
        self._self_kind: Kind = "sampler" if isinstance(primitive, BaseSamplerV2) else "estimator"

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped primitive does: same result, same exceptions."""
        return self._self_observer.call(self._self_kind, self.__wrapped__.run, self.__wrapped__, args, kwargs)


def wrap_primitive(primitive: object, observer: Observer) -> WatchedPrimitive | None:
    """Return the observed primitive; None where `primitive` is no V2 primitive."""
    if isinstance(primitive, WatchedPrimitive):
        return primitive
    return WatchedPrimitive(primitive, observer) if isinstance(primitive, (BaseSamplerV2, BaseEstimatorV2)) else None
