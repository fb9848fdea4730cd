"""The hooks: which methods of which modules are wrapped, and how they are put back.

A class attribute is replaced, so objects and imported names from before are observed, too. Undoing puts the
original back; where somebody else wrapped ours in between, ours stays below theirs and only passes calls on.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from qml_producers.qiskit.captures import Kind
from qml_producers.qiskit.nesting import submit
from qml_producers.qiskit.observer import Observer

Wrapper = Callable[[Callable[..., Any], Any, Any, Any], Any]

PRIMITIVES: dict[str, dict[str, Kind]] = {
    "qiskit.primitives": {
        "StatevectorSampler": "sampler",
        "StatevectorEstimator": "estimator",
        "BackendSamplerV2": "sampler",
        "BackendEstimatorV2": "estimator",
    },
    "qiskit_aer.primitives": {"SamplerV2": "sampler", "EstimatorV2": "estimator"},
}


def install(observer: Observer, module: ModuleType) -> Callable[[], None]:
    """Wrap what `module` holds for us, and return the undo.

    Raises:
        AttributeError: this version of the module lacks a method; nothing stays wrapped.
    """
    undos: list[Callable[[], None]] = []

    def undo() -> None:
        while undos:
            undos.pop()()

    try:
        for owner, method, wrapper in _wrappers(observer, module):
            undos.append(_wrap(owner, method, wrapper))
    except Exception:
        undo()
        raise
    return undo


def _wrappers(observer: Observer, module: ModuleType) -> list[tuple[type, str, Wrapper]]:
    found = [
        (getattr(module, name), "run", _observed(observer, kind))
        for name, kind in PRIMITIVES.get(module.__name__, {}).items()
    ]
    if module.__name__ == "qiskit.primitives":
        found.append((module.PrimitiveJob, "_submit", submit))
    if module.__name__ == "qiskit.transpiler":
        found.append((module.PassManager, "run", observer.sources.wrap_run(_reporter(observer))))
    return found


def _observed(observer: Observer, kind: Kind) -> Wrapper:
    def run(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        return observer.call(kind, wrapped, instance, args, kwargs)

    return run


def _reporter(observer: Observer) -> Callable[[BaseException], None]:
    def report(error: BaseException) -> None:
        observer.recorder.report("instrumentation_failed", "source_identity", error)

    return report


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
