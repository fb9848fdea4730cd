"""What is put in place in which module, and where SciPy's `minimize` is found.

What user code imported by `from scipy.optimize import minimize` before `autolog()` is out of reach.
"""

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from qml_producers.optimizers import networks, objectives, qiskit_optimizers
from qml_producers.optimizers.scipy_minimize import watch_minimize
from quantum_mlops.sdk.recorder import Recorder

Install = Callable[[Recorder, ModuleType], Callable[[], None]]

_IMPORTED_BY_SCIPY = "._minimize"
_IMPORTED_BY_QISKIT = ".scipy_optimizer"


def watch_scipy(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Replace `minimize` in SciPy itself; return the undo, which is idempotent."""
    return _watch_functions(recorder, module.__name__, module.__name__ + _IMPORTED_BY_SCIPY)


def watch_qiskit(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Replace the `minimize` that a package of Qiskit imported, and wrap its own optimizers; return the undo."""
    undo_functions = _watch_functions(recorder, module.__name__ + _IMPORTED_BY_QISKIT)
    try:
        undo_methods = qiskit_optimizers.install(recorder, module)
    except Exception:
        undo_functions()
        raise

    def undo() -> None:
        undo_methods()
        undo_functions()

    return undo


INSTALLS: Mapping[str, Install] = {
    "optimize": watch_scipy,
    "optimizers": watch_qiskit,
    "gradients": networks.install_gradients,
    "neural_networks": networks.install_networks,
    "algorithms": objectives.install,
}
"""By the last part of the module's name."""


def _watch_functions(recorder: Recorder, *names: str) -> Callable[[], None]:
    """Replace `minimize` in the modules of these names that are loaded, by one function."""
    active = [True]
    made: dict[int, Callable[..., Any]] = {}
    replaced: list[tuple[Any, Any, Any]] = []
    places: list[Any] = [sys.modules[name] for name in names if name in sys.modules]
    for place in places:
        original = getattr(place, "minimize", None)
        if original is not None:
            ours = made.get(id(original)) or watch_minimize(recorder, active)(original)
            made[id(original)] = ours
            replaced.append((place, original, ours))
            place.minimize = ours

    def undo() -> None:
        active.clear()
        while replaced:
            place, original, ours = replaced.pop()
            if getattr(place, "minimize", None) is ours:
                place.minimize = original

    return undo
