"""The hooks: which methods of which modules of Qiskit and Aer are wrapped."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.observing.nesting import submit
from qml_producers.qiskit.captures import Kind
from qml_producers.qiskit.observer import Observer

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
    """Wrap what `module` holds for us, and return the undo. Raises what `wrap_methods` raises."""
    return wrap_methods(_wrappers(observer, module))


def _wrappers(observer: Observer, module: ModuleType) -> list[Method]:
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
