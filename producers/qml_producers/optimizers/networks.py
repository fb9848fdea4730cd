"""The gradients of Qiskit's two algorithm packages, and the networks: how many executions each call should take.

What the primitives really execute is counted where they are observed; a cache or a resilience option between the two
shows as a difference.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from qml_producers.observing.hooks import wrap_methods
from qml_producers.observing.reports import Reports
from quantum_mlops.sdk.expectation import expected_executions
from quantum_mlops.sdk.recorder import Recorder

_METHODS = {"ParamShift": "parameter-shift", "LinComb": "hadamard", "SPSA": "spsa", "FiniteDiff": "finite-diff"}
"""By how the name of the gradient's class begins. A reverse gradient runs no circuit on a primitive."""

Expected = Callable[..., int | None]


def install_networks(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Wrap the networks' forward passes; their backward passes are gradients. Raises what `wrap_methods` raises."""
    expect = _expecting(Reports(recorder), _forward)
    return wrap_methods([(module.EstimatorQNN, "_forward", expect), (module.SamplerQNN, "_forward", expect)])


def install_gradients(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Wrap the gradients' `run`, and return the undo. Raises what `wrap_methods` raises."""
    reports = Reports(recorder)
    return wrap_methods(
        [
            (module.BaseEstimatorGradient, "run", _expecting(reports, _of_estimator)),
            (module.BaseSamplerGradient, "run", _expecting(reports, _of_sampler)),
        ]
    )


def _expecting(reports: Reports, expected: Expected) -> Callable[..., Any]:
    """Return a wrapper that tells the executions to expect, then calls. The arguments are read, never changed."""

    def run(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        refused: Exception | None = None
        try:
            executions = expected(instance, *args, **kwargs) if reports.enabled else None
            if executions:
                reports.begin().expect(executions)
        except Exception as error:  # noqa: BLE001 - what the call itself refuses, too: counted where it does not
            refused = error
        result = wrapped(*args, **kwargs)
        if refused is not None:
            reports.failed("metric.logged", refused)
        return result

    return run


def _forward(network: Any, input_data: Any = None, weights: Any = None) -> int:  # noqa: ARG001 - as the pass is called
    """Every sample, times every observable of an estimator's network."""
    samples = 1 if input_data is None else len(np.atleast_2d(input_data))
    return samples * (int(network.output_shape[0]) if hasattr(network, "estimator") else 1)


def _of_estimator(
    gradient: Any, circuits: Any, observables: Any, parameter_values: Any, parameters: Any = None, **_options: Any
) -> int | None:
    del observables, parameter_values  # one of each to a circuit
    return _gradients(gradient, circuits, parameters)


def _of_sampler(
    gradient: Any, circuits: Any, parameter_values: Any, parameters: Any = None, **_options: Any
) -> int | None:
    del parameter_values
    return _gradients(gradient, circuits, parameters)


def _gradients(gradient: Any, circuits: Any, parameters: Any) -> int | None:
    """Sum up what the gradients of the circuits take; None for a gradient of unknown method."""
    kind = type(gradient).__name__
    method = next((method for start, method in _METHODS.items() if kind.startswith(start)), None)
    if method is None or not isinstance(circuits, list | tuple):
        return None
    if method == "finite-diff" and getattr(gradient, "_method", "") == "central":
        method = "finite-diff-central"
    directions = int(getattr(gradient, "_batch_size", 1)) if method == "spsa" else 1
    total = 0
    for index, circuit in enumerate(circuits):
        chosen = None if parameters is None else parameters[index]
        number = circuit.num_parameters if chosen is None else len(chosen)
        total += (expected_executions(method, number, directions) or 0) if number else 0
    return total
