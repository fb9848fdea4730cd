"""The entry point `quantum_mlops.instrumentations`: optimizers. Imports SciPy and Qiskit only once they are there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantum_mlops.sdk.recorder import Recorder


class OptimizersInstrumentation:
    """Watches minimizations by SciPy, qiskit-algorithms and qiskit-machine-learning; what gradients should execute."""

    name = "optimizers"
    modules = (
        "scipy.optimize",
        "qiskit_algorithms.optimizers",
        "qiskit_algorithms.gradients",
        "qiskit_machine_learning.optimizers",
        "qiskit_machine_learning.gradients",
        "qiskit_machine_learning.neural_networks",
        "qiskit_machine_learning.algorithms",
    )

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Put the watched functions and methods of one module in place; return the undo."""
        from qml_producers.optimizers.places import INSTALLS  # noqa: PLC0415 - loads NumPy

        return INSTALLS[module.__name__.rpartition(".")[2]](recorder, module)

    def make_canary(self, recorder: "Recorder", circuit: object, every: int, shots: int, name: str | None) -> None:
        """Return None: an optimizer runs no circuit."""

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return a watched `scipy.optimize.minimize`, without patching; None where `primitive` is something else."""
        if getattr(primitive, "__module__", None) != "scipy.optimize._minimize" or not callable(primitive):
            return None
        from qml_producers.optimizers.scipy_minimize import watch_minimize  # noqa: PLC0415 - loads NumPy

        is_minimize = getattr(primitive, "__name__", None) == "minimize"
        return watch_minimize(recorder, [True])(primitive) if is_minimize else None
