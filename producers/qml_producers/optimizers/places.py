"""Where SciPy's `minimize` is found: the attributes of modules that are replaced, and put back.

What user code imported by `from scipy.optimize import minimize` before `autolog()` is out of reach.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from qml_producers.optimizers.scipy_minimize import watch_minimize
from quantum_mlops.sdk.recorder import Recorder

_PLACES = {
    "scipy.optimize": ("scipy.optimize", "scipy.optimize._minimize"),
    "qiskit_algorithms.optimizers": ("qiskit_algorithms.optimizers.scipy_optimizer",),
    "qiskit_machine_learning.optimizers": ("qiskit_machine_learning.optimizers.scipy_optimizer",),
}


def watch_functions(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Replace `minimize` in every place that belongs to `module`; return the undo, which is idempotent."""
    active = [True]
    made: dict[int, Callable[..., Any]] = {}
    replaced: list[tuple[ModuleType, Any, Any]] = []
    for name in _PLACES.get(module.__name__, ()):
        place = sys.modules.get(name)
        original = getattr(place, "minimize", None)
        if place is None or original is None:
            continue
        ours = made.setdefault(id(original), watch_minimize(recorder, active)(original))
        replaced.append((place, original, ours))
        place.minimize = ours  # type: ignore[attr-defined]

    def undo() -> None:
        active.clear()
        while replaced:
            place, original, ours = replaced.pop()
            if getattr(place, "minimize", None) is ours:
                place.minimize = original  # type: ignore[attr-defined]

    return undo
