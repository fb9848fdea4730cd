"""The entry point `quantum_mlops.instrumentations`: optimizers. Imports SciPy and Qiskit only once they are there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantum_mlops.sdk.recorder import Recorder

_SCIPY = "scipy.optimize"
_NETWORKS = "qiskit_machine_learning.neural_networks"
_MODELS = "qiskit_machine_learning.algorithms"


class OptimizersInstrumentation:
    """Watches minimizations by SciPy, qiskit-algorithms and qiskit-machine-learning, and the passes of its networks."""

    name = "optimizers"
    modules = (_SCIPY, "qiskit_algorithms.optimizers", "qiskit_machine_learning.optimizers", _NETWORKS, _MODELS)

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Put the watched functions and methods of one module in place; return the undo."""
        if module.__name__ == _NETWORKS:
            from qml_producers.optimizers import networks  # noqa: PLC0415 - loads NumPy

            return networks.install(recorder, module)
        if module.__name__ == _MODELS:
            from qml_producers.optimizers import objectives  # noqa: PLC0415 - as above

            return objectives.install(recorder, module)
        from qml_producers.optimizers import qiskit_optimizers  # noqa: PLC0415 - as above
        from qml_producers.optimizers.places import watch_functions  # noqa: PLC0415 - as above

        undo_functions = watch_functions(recorder, module)
        if module.__name__ == _SCIPY:
            return undo_functions
        try:
            undo_methods = qiskit_optimizers.install(recorder, module)
        except Exception:
            undo_functions()
            raise

        def undo() -> None:
            undo_methods()
            undo_functions()

        return undo

    def make_canary(self, recorder: "Recorder", circuit: object, every: int, shots: int, name: str | None) -> None:
        """Return None: an optimizer runs no circuit."""

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return a watched `scipy.optimize.minimize`, without patching; None where `primitive` is something else."""
        if getattr(primitive, "__module__", None) != "scipy.optimize._minimize" or not callable(primitive):
            return None
        from qml_producers.optimizers.scipy_minimize import watch_minimize  # noqa: PLC0415 - loads NumPy

        is_minimize = getattr(primitive, "__name__", None) == "minimize"
        return watch_minimize(recorder, [True])(primitive) if is_minimize else None
