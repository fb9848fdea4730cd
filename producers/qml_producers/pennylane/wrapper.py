"""Explicit wrappers of a device or a QNode, for those who do not want `autolog` to patch classes."""

import copy
from typing import Any

import pennylane as qml
import wrapt
from pennylane.devices import Device

from qml_producers.pennylane.methods import METHODS
from qml_producers.pennylane.observer import Observer


class WatchedDevice(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic in wrapt 2 only
    """A device whose executions are observed; in everything else, `isinstance` included, it is the wrapped one."""

    def __init__(self, device: Any, observer: Observer) -> None:
        super().__init__(device)
        self._self_observer = observer

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if name not in METHODS:
            return found

        def observed(*args: Any, **kwargs: Any) -> Any:
            return self._self_observer.call(name, found, self.__wrapped__, args, kwargs)

        return observed

    def __copy__(self) -> "WatchedDevice":
        return WatchedDevice(copy.copy(self.__wrapped__), self._self_observer)

    def __deepcopy__(self, memo: dict[int, Any]) -> "WatchedDevice":
        return WatchedDevice(copy.deepcopy(self.__wrapped__, memo), self._self_observer)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


def wrap_device(target: object, observer: Observer) -> Any:
    """Return the observed device, or a QNode like the given one on its observed device; None for anything else."""
    if isinstance(target, WatchedDevice):
        return target
    if isinstance(target, Device):
        return WatchedDevice(target, observer)
    if isinstance(target, qml.QNode):
        watched = copy.copy(target)
        watched.device = wrap_device(target.device, observer)
        return watched
    return None
