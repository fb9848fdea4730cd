"""The hooks on device classes: every class that defines a method of execution, those that appear later included.

Later classes are covered when the first of their devices is made, not when they are defined: decorators of PennyLane's
replace their methods in between.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from pennylane.devices import Device

from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.pennylane.methods import METHODS
from qml_producers.pennylane.observer import Observer

Undo = Callable[[], None]


class DeviceHooks:
    """The hooks of one installation. Thread-safe."""

    def __init__(self, observer: Observer) -> None:
        self._wrappers = {method: _observed(observer, method) for method in METHODS}
        self._observer = observer
        self._covered: set[type] = set()
        self._undos: list[Undo] = []
        self._lock = threading.Lock()

    def install(self) -> Undo:
        """Wrap what there is and what will come; return the undo, which is idempotent."""
        self._undos.append(wrap_methods([(Device, "__init__", self._made)]))
        for kind in _subclasses(Device):
            self._cover(kind)
        return self.undo

    def undo(self) -> None:
        """Put everything back, last first."""
        with self._lock:
            while self._undos:
                self._undos.pop()()

    def _made(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            for kind in reversed(type(instance).__mro__):
                if kind not in self._covered and kind is not Device and issubclass(kind, Device):
                    self._cover(kind)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the device is made all the same
            self._observer.recorder.report("instrumentation_failed", "job.created", error)
        return wrapped(*args, **kwargs)

    def _cover(self, kind: type) -> None:
        with self._lock:
            methods = _methods(kind, self._wrappers)
            if methods and kind not in self._covered and self._undos:
                self._covered.add(kind)
                self._undos.append(wrap_methods(methods))


def _methods(kind: type, wrappers: dict[str, Wrapper]) -> list[Method]:
    """The methods of execution that a class defines itself."""
    found = []
    for name, wrapper in wrappers.items():
        own = kind.__dict__.get(name)
        if own is not None and not getattr(own, "__isabstractmethod__", False):
            found.append((kind, name, wrapper))
    return found


def _subclasses(kind: type) -> Iterator[type]:
    seen: set[type] = set()
    waiting = [kind]
    while waiting:
        found: list[type] = type.__subclasses__(waiting.pop())
        for each in found:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
                yield each


def _observed(observer: Observer, method: str) -> Wrapper:
    def execute(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        return observer.call(method, wrapped, instance, args, kwargs)

    return execute
