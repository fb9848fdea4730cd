"""The optimizers of qiskit-algorithms and qiskit-machine-learning, which share their code: watched at `minimize`.

No callback is added: with one, SPSA and GradientDescent would evaluate the function once more. Iterations are seen
at the methods that compute their gradients; those of the optimizers that have none are single evaluations. The ones
of SciPy are watched at the `minimize` that their module imported.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from qml_producers.observing.hooks import Method, wrap_methods
from qml_producers.optimizers.descent import WATCHING, Descent, Plan, Watched
from qml_producers.optimizers.watching import is_wanted, watching
from quantum_mlops.sdk.recorder import Recorder

_CALIBRATION = 50
_DEVIATION = 25
_SCIPY = frozenset({"SciPyOptimizer", "P_BFGS"})
_FIDELITIES = 4


def install(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Wrap the optimizers of a package, and return the undo. Raises what `wrap_methods` raises."""
    return wrap_methods(_methods(recorder, module))


def _methods(recorder: Recorder, module: ModuleType) -> list[Method]:
    known = [kind for kind in vars(module).values() if isinstance(kind, type)]
    kinds = {base for kind in known for base in kind.__mro__ if "minimize" in vars(base)}
    watched = sorted((kind for kind in kinds if _is_ours(kind)), key=lambda kind: kind.__name__)
    found: list[Method] = [(kind, "minimize", _minimize(recorder)) for kind in watched]
    found.append((module.Optimizer, "gradient_num_diff", _differentiate))
    found.append((module.SPSA, "_point_estimate", _estimate))
    found.append((module.AQGD, "_compute_objective_fn_and_gradient", _both))
    return found


def _is_ours(kind: type) -> bool:
    abstract = getattr(kind.__dict__["minimize"], "__isabstractmethod__", False)
    return not abstract and kind.__name__ not in _SCIPY


def _minimize(recorder: Recorder) -> Callable[..., Any]:
    def minimize(wrapped: Callable[..., Any], optimizer: Any, args: Any, kwargs: Any) -> Any:
        if not is_wanted(recorder):
            return wrapped(*args, **kwargs)
        try:
            given, descent = _wrap(recorder, optimizer, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - what the optimizer itself refuses, too: counted where it does not
            result = wrapped(*args, **kwargs)
            recorder.report("instrumentation_failed", "metric.logged", error)
            return result
        with watching(recorder, descent):
            return wrapped(**given)

    return minimize


def _wrap(
    recorder: Recorder, optimizer: Any, fun: Any, x0: Any, jac: Any = None, bounds: Any = None
) -> tuple[dict[str, Any], Descent]:
    kinds = {kind.__name__ for kind in type(optimizer).__mro__}
    by_gradient = kinds & {"SPSA", "AQGD", "ADAM", "GradientDescent"}
    plan = _plan(optimizer, kinds, int(np.size(x0)), has_gradient=jac is not None)
    descent = Descent(recorder, int(np.size(x0)), plan, "gradients" if by_gradient else "evaluations")
    watched = Watched(fun, descent.evaluating, descent.evaluated) if callable(fun) else fun
    if callable(jac):
        jac = Watched(jac, descent.begin, lambda _, gradient: descent.differentiated(gradient))
    given = {"fun": watched, "x0": x0}
    return given | ({} if jac is None else {"jac": jac}) | ({} if bounds is None else {"bounds": bounds}), descent


def _plan(optimizer: Any, kinds: set[str], parameters: int, *, has_gradient: bool) -> Plan:
    """How many evaluations the optimizer's own code makes; sources of the methods: `quantum_mlops.sdk.expectation`."""
    if "SPSA" in kinds:
        return _plan_of_spsa(optimizer, kinds)
    if "AQGD" in kinds:
        return Plan(2 * parameters + 1)
    if kinds & {"ADAM", "GradientDescent"} and not has_gradient:
        return Plan(parameters + 1 + (getattr(optimizer, "callback", None) is not None), last=1)
    return Plan()


def _plan_of_spsa(optimizer: Any, kinds: set[str]) -> Plan:
    """Two for the gradient, one to accept or to tell the callback; before the first those of the calibration."""
    samples = optimizer.resamplings
    if not isinstance(samples, int):
        return Plan()
    natural = "QNSPSA" in kinds
    each = samples * (4 if optimizer.second_order and not natural else 2)
    each += bool(optimizer.blocking or optimizer.callback is not None)
    first = _CALIBRATION if optimizer.learning_rate is None and optimizer.perturbation is None else 0
    if optimizer.blocking:
        first += 1 + (_DEVIATION if optimizer.allowed_increase is None else 0)
    return Plan(each, first, 1, _FIDELITIES * samples if natural else 0)


def _differentiate(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
    """Around `Optimizer.gradient_num_diff`: finite differences from the point `x_center`."""
    descent = WATCHING.get()
    if descent is None or descent.ends != "gradients":
        return wrapped(*args, **kwargs)
    descent.begin(args[0] if args else kwargs.get("x_center"))
    gradient = wrapped(*args, **kwargs)
    descent.differentiated(gradient)
    return gradient


def _estimate(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
    """Around `SPSA._point_estimate(loss, x, eps, num_samples)`, which returns value, gradient and Hessian at `x`.

    The gradient before it is multiplied with the inverse Hessian: that is the optimizer's step, no gradient.
    """
    descent = WATCHING.get()
    if descent is None or descent.ends != "gradients":
        return wrapped(*args, **kwargs)
    descent.begin(args[1] if len(args) > 1 else kwargs.get("x"))
    estimate = wrapped(*args, **kwargs)
    descent.differentiated(estimate[1], estimate[0])
    return estimate


def _both(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
    """Around `AQGD._compute_objective_fn_and_gradient(params, obj)`, which returns the value and the gradient."""
    descent = WATCHING.get()
    if descent is None or descent.ends != "gradients":
        return wrapped(*args, **kwargs)
    descent.begin(args[0] if args else kwargs.get("params"))
    both = wrapped(*args, **kwargs)
    descent.differentiated(both[1], both[0])
    return both
