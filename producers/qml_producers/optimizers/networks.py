"""The networks of qiskit-machine-learning: how many executions each pass should take, by the method of its gradient.

What the primitives really execute is counted where they are observed; a cache or a resilience option between the two
shows as a difference.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from qml_producers.observing.hooks import Method, wrap_methods
from qml_producers.observing.reports import Reports
from quantum_mlops.sdk.expectation import expected_executions
from quantum_mlops.sdk.recorder import Recorder

_METHODS = {"ParamShift": "parameter-shift", "LinComb": "hadamard", "SPSA": "spsa"}
"""By how the name of the gradient's class begins. A reverse gradient runs no circuit on a primitive."""


def install(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Wrap both networks' passes, and return the undo. Raises what `wrap_methods` raises."""
    reports = Reports(recorder)
    methods: list[Method] = []
    for name in ("EstimatorQNN", "SamplerQNN"):
        methods.append((getattr(module, name), "_forward", _passing(reports, _forward)))
        methods.append((getattr(module, name), "_backward", _passing(reports, _backward)))
    return wrap_methods(methods)


def _passing(reports: Reports, expected: Callable[[Any, int], int | None]) -> Callable[..., Any]:
    def run(wrapped: Callable[..., Any], network: Any, args: Any, kwargs: Any) -> Any:
        try:
            if reports.enabled:
                inputs = args[0] if args else kwargs.get("input_data")
                executions = expected(network, 1 if inputs is None else len(np.atleast_2d(inputs)))
                if executions:
                    reports.begin().expect(executions)
        except Exception as error:  # noqa: BLE001 - a network of the user's own class: counted
            reports.failed("metric.logged", error)
        return wrapped(*args, **kwargs)

    return run


def _circuits(network: Any, samples: int) -> int:
    """Every sample, times every observable of an estimator's network."""
    return samples * (int(network.output_shape[0]) if hasattr(network, "estimator") else 1)


def _forward(network: Any, samples: int) -> int:
    return _circuits(network, samples)


def _backward(network: Any, samples: int) -> int | None:
    kind = type(network.gradient).__name__
    method = next((method for start, method in _METHODS.items() if kind.startswith(start)), None)
    parameters = network.num_weights + (network.num_inputs if network.input_gradients else 0)
    if method is None or not parameters:
        return None
    directions = getattr(network.gradient, "_batch_size", 1) if method == "spsa" else 1
    return expected_executions(method, parameters, _circuits(network, samples) * directions)
