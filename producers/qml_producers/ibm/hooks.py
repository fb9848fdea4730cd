"""The hooks: which methods of which modules of qiskit-ibm-runtime are wrapped."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from qml_producers.ibm.ways import RuntimeWay, see_status
from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.observing.nesting import INSIDE
from qml_producers.qiskit.captures import Kind
from qml_producers.qiskit.observer import observer_of
from qml_producers.qiskit.wrapper import wrap_primitive
from quantum_mlops.sdk.recorder import Recorder

_PRIMITIVES: dict[str, tuple[str, Kind]] = {
    "qiskit_ibm_runtime.sampler": ("SamplerV2", "sampler"),
    "qiskit_ibm_runtime.estimator": ("EstimatorV2", "estimator"),
    "qiskit_ibm_runtime.executor_sampler.sampler": ("Sampler", "sampler"),
    "qiskit_ibm_runtime.executor_estimator.estimator": ("Estimator", "estimator"),
}


class Hooks:
    """The hooks of one recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._observer = observer_of(recorder)
        known = next((way for way in self._observer.ways if isinstance(way, RuntimeWay)), None)
        self._way = known or RuntimeWay(self._observer)
        if known is None:
            self._observer.add_way(self._way)

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Wrap what `module` holds for us, and return the undo. Raises what `wrap_methods` raises."""
        return wrap_methods(self._methods(module))

    def wrap(self, primitive: object) -> Any:
        """Return a stand-in of a primitive; None where it is none."""
        return wrap_primitive(primitive, self._observer)

    def _methods(self, module: ModuleType) -> list[Method]:
        if module.__name__ in _PRIMITIVES:
            name, kind = _PRIMITIVES[module.__name__]
            return [(getattr(module, name), "run", self._run(kind))]
        if module.__name__ == "qiskit_ibm_runtime.session":
            session = module.Session
            return [
                (session, "__init__", self._opened),
                (session, "close", self._closed),
                (session, "cancel", self._closed),
            ]
        if module.__name__ == "qiskit_ibm_runtime.executor.executor":
            return [(module.Executor, "run", self._program)]
        return [(module.IBMBackend, "status", see_status)]

    def _run(self, kind: Kind) -> Wrapper:
        observer = self._observer

        def run(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
            return observer.call(kind, wrapped, instance, args, kwargs)

        return run

    def _program(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """Watch a program of the user's own; that of a primitive is inside the primitive's call. No canary fits it."""
        if INSIDE.get() is not None or not self.recorder.enabled:
            return wrapped(*args, **kwargs)
        if not args and "program" in kwargs:
            args, kwargs = (kwargs["program"],), {name: value for name, value in kwargs.items() if name != "program"}
        return self._observer.submit("sampler", wrapped, instance, args, kwargs)

    def _opened(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> None:
        wrapped(*args, **kwargs)
        try:
            known = vars(instance)
            if known.get("_session_id") is not None and self.recorder.enabled:
                self._way.sessions.opened(known["_session_id"], vars(known["_backend"]).get("name"))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._observer.reports.failed("session.opened", error)

    def _closed(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        try:
            known = vars(instance)
            if known.get("_session_id") is not None and self.recorder.enabled:
                self._way.sessions.closed(known["_session_id"])
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._observer.reports.failed("session.closed", error)
        return found
