"""The objectives of qiskit-machine-learning's trainers: the loss of an iteration that asked for the gradient alone.

A trainer's gradient runs the network forward first, and keeps what that gave. The loss follows from it by arithmetic:
it is computed with the library's own loss functions, never with one of the user's, and no circuit runs for it.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from qml_producers.observing.hooks import wrap_methods
from qml_producers.optimizers.descent import WATCHING
from quantum_mlops.sdk.recorder import Recorder

_FORWARD_FIRST = ("BinaryObjectiveFunction", "OneHotObjectiveFunction")


def install(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Wrap the objectives' gradients, and return the undo. Raises what `wrap_methods` raises."""

    def gradient(wrapped: Callable[..., Any], objective: Any, args: Any, kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        descent = WATCHING.get()
        if descent is not None:
            try:
                weights = args[0] if args else kwargs["weights"]
                if _is_plain(objective, weights):
                    descent.known(weights, objective.objective(weights))
            except Exception as error:  # noqa: BLE001 - an objective of the user's own class: counted
                recorder.report("instrumentation_failed", "metric.logged", error)
        return found

    return wrap_methods((getattr(module, name), "gradient", gradient) for name in _FORWARD_FIRST)


def _is_plain(objective: Any, weights: Any) -> bool:
    """Tell whether the forward pass at these weights is at hand, and all that is left is arithmetic of the library."""
    kept = objective._last_forward_weights  # noqa: SLF001 - the only place that says which pass it is
    owners = (type(objective).__module__, type(objective._loss).__module__)  # noqa: SLF001 - as above
    is_own = all(owner.startswith("qiskit_machine_learning.") for owner in owners)
    return is_own and kept is not None and np.array_equal(kept, weights)
