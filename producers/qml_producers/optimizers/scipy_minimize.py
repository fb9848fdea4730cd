"""`scipy.optimize.minimize`, watched: the function, its gradient and the callback are wrapped, nothing else is.

Iterations are those that SciPy tells a callback of. A callback of ours has the old signature `callback(xk)`, which
every method knows; one of the user's is called as SciPy calls it, and what it returns or raises passes.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import wrapt

from qml_producers.optimizers.descent import Descent, Plan, Watched
from qml_producers.optimizers.watching import is_wanted, watching
from quantum_mlops.sdk.recorder import Recorder

_BY_GRADIENT = frozenset({"cg", "bfgs", "l-bfgs-b", "tnc", "slsqp", "trust-constr"})
_EXACT = frozenset({"newton-cg", "dogleg", "trust-ncg", "trust-krylov", "trust-exact"})


def watch_minimize(recorder: Recorder, active: list[bool]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what makes a watched `minimize` of SciPy's; with `active` emptied it only passes calls on."""

    def make(minimize: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(minimize)

        @functools.wraps(minimize)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if not active or not is_wanted(recorder):
                return minimize(*args, **kwargs)
            try:
                bound = signature.bind(*args, **kwargs)
                descent = _wrap(recorder, bound.arguments)
            except Exception as error:  # noqa: BLE001 - what SciPy itself refuses, too: counted where it does not
                result = minimize(*args, **kwargs)
                recorder.report("instrumentation_failed", "metric.logged", error)
                return result
            with watching(recorder, descent):
                return minimize(*bound.args, **bound.kwargs)

        return watched

    return make


def _wrap(recorder: Recorder, given: dict[str, Any]) -> Descent:
    """Put the watched function, gradient and callback in place of the user's."""
    parameters = int(np.size(given["x0"]))
    method, jac, callback = given.get("method"), given.get("jac"), given.get("callback")
    is_custom = callable(method)
    is_blind = is_custom and callback is None  # a method of the user's own may look at what it is given
    descent = Descent(recorder, parameters, _plan(given, parameters), "evaluations" if is_blind else "moves")

    def evaluated(before: Any, value: Any) -> None:
        if jac is True and isinstance(value, tuple):
            descent.differentiated(value[1])
            value = value[0]
        descent.evaluated(before, value)

    given["fun"] = Watched(given["fun"], descent.evaluating, evaluated)
    if callable(jac):
        given["jac"] = Watched(jac, descent.differentiating, lambda _, gradient: descent.differentiated(gradient))
    if callback is None:
        if not is_custom:
            given["callback"] = _callback(descent)
    elif callable(callback):
        given["callback"] = wrapt.FunctionWrapper(callback, _around(descent))
    return descent


def _callback(descent: Descent) -> Callable[..., None]:
    def moved(xk: Any, *_state: Any) -> None:
        descent.moved(xk)

    return moved


def _around(descent: Descent) -> Callable[..., Any]:
    """Return a wrapper that calls the user's callback first: what it logs stands for the iteration."""

    def call(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
        result = kwargs.get("intermediate_result")
        point = args[0] if args else getattr(result, "x", None)
        point = None if point is None else np.array(point, dtype=float)
        try:
            return wrapped(*args, **kwargs)
        finally:
            if point is not None:
                descent.moved(point)

    return call


def _plan(given: dict[str, Any], parameters: int) -> Plan:
    """Evaluations of an iteration without a search along the line: what the method cannot do without.

    Source: scipy.optimize.minimize, "jac"; forward differences take a value more for each parameter, central ones two.
    """
    method, jac = given.get("method"), given.get("jac")
    if method is None:
        constrained = given.get("constraints")
        method = "slsqp" if constrained else "bfgs" if given.get("bounds") is None else "l-bfgs-b"
    name = "" if callable(method) else str(method).lower()
    if name == "cobyla":
        return Plan(1, first=parameters + 1)  # the simplex that it begins with
    if callable(jac) or jac is True:
        return Plan(1) if name in _BY_GRADIENT or name in _EXACT else Plan()
    if name in _BY_GRADIENT:
        return Plan(1 + parameters * (2 if jac == "3-point" else 1))
    return Plan()
