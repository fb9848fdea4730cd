"""Gradients that PennyLane takes by executing shifted circuits: what their method should take, and which jobs they are.

A gradient transform makes its own circuits of those that it differentiates; here both are seen, and only here.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from pennylane.workflow.jacobian_products import TransformJacobianProducts

from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.pennylane.methods import transform_name
from qml_producers.pennylane.tapes import sweep_of
from quantum_mlops.sdk.expectation import expected_executions

_WITH_VALUES = ("execute_and_compute_jvp", "execute_and_compute_jacobian")
_METHODS = ("compute_vjp", "compute_jacobian", *_WITH_VALUES)


class Gradient:
    """One gradient that is being taken."""

    def __init__(self, executions: int | None) -> None:
        self._executions = executions

    def take(self) -> int | None:
        """Return the executions that its method should take: once, to the first job that it runs."""
        executions, self._executions = self._executions, None
        return executions


GRADIENT: ContextVar[Gradient | None] = ContextVar("qml_producers_pennylane_gradient", default=None)
"""The gradient that this context takes: the jobs inside are its own."""


def install(report: Callable[[BaseException], None]) -> Callable[[], None]:
    """Wrap the calculator of gradient transforms, and return the undo; an error of ours goes to `report`."""
    methods: list[Method] = [
        (TransformJacobianProducts, name, _taking(report, with_values=name in _WITH_VALUES))
        for name in _METHODS
        if name in TransformJacobianProducts.__dict__
    ]
    return wrap_methods(methods)


def _taking(report: Callable[[BaseException], None], *, with_values: bool) -> Wrapper:
    def compute(wrapped: Callable[..., Any], calculator: Any, args: Any, kwargs: Any) -> Any:
        if GRADIENT.get() is not None:
            return wrapped(*args, **kwargs)
        try:
            tapes = args[0] if args else kwargs["tapes"]
            gradient = Gradient(_executions(calculator, tapes, with_values=with_values))
        except Exception as error:  # noqa: BLE001 - ours, or a transform of the user's own: counted by `report`
            report(error)
            gradient = Gradient(None)
        outside = GRADIENT.set(gradient)
        try:
            return wrapped(*args, **kwargs)
        finally:
            GRADIENT.reset(outside)

    return compute


def _executions(calculator: Any, tapes: Sequence[Any], *, with_values: bool) -> int | None:
    """By the method's theory; None where the method has none."""
    settings = calculator._gradient_kwargs  # noqa: SLF001 - what `diff_method` was given beside its name
    name = transform_name(calculator._gradient_transform)  # noqa: SLF001 - as above
    if name == "finite-diff" and settings.get("strategy") == "center":
        name = "finite-diff-central"
    directions = settings.get("num_directions", 1) if name == "spsa" else 1
    total = 0
    for tape in tapes:
        sweep = sweep_of(tape)
        executions = expected_executions(name, len(tape.trainable_params), sweep * directions)
        if executions is None:
            return None
        total += executions + (sweep if with_values else 0)
    return total
