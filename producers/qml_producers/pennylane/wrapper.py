"""Explicit wrappers of a device or a QNode, for those who do not want `autolog` to patch classes."""

import copy
from typing import Any

import pennylane as qml
from pennylane.devices import Device

from qml_producers.observing.proxy import Watched
from qml_producers.pennylane.methods import METHODS
from qml_producers.pennylane.observer import Observer


class WatchedDevice(Watched):
    """A device whose executions are observed; in everything else, `isinstance` included, it is the wrapped one."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if name not in METHODS:
            return found

        def observed(*args: Any, **kwargs: Any) -> Any:
            return self._self_observer.call(name, found, self.__wrapped__, args, kwargs)

        return observed


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
