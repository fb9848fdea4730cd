"""The methods by which a device executes, and what is known of the gradients that they are part of."""

from typing import Any, NamedTuple


class Method(NamedTuple):
    """What a method of a device returns; derivatives come second where there are results, too."""

    results: bool
    derivatives: bool


_DERIVATIVES = Method(results=False, derivatives=True)
_BOTH = Method(results=True, derivatives=True)

METHODS: dict[str, Method] = {
    "execute": Method(results=True, derivatives=False),
    "compute_derivatives": _DERIVATIVES,
    "execute_and_compute_derivatives": _BOTH,
    "compute_jvp": _DERIVATIVES,
    "execute_and_compute_jvp": _BOTH,
    "compute_vjp": _DERIVATIVES,
    "execute_and_compute_vjp": _BOTH,
}

_TRANSFORMS = {
    "param_shift": "parameter-shift",
    "param_shift_cv": "parameter-shift",
    "finite_diff": "finite-diff",
    "spsa_grad": "spsa",
    "hadamard_grad": "hadamard",
    "stoch_pulse_grad": "stochastic-pulse",
    "pulse_odegen": "pulse-odegen",
}


def gradient_method_of(config: Any) -> str | None:
    """Return the gradient method of an execution by its name in `diff_method`, or None."""
    method = getattr(config, "gradient_method", None)
    if method is None or isinstance(method, str):
        return method
    return transform_name(method)


def transform_name(method: Any) -> str:
    """Return the name in `diff_method` of a gradient transform; its own where it has none."""
    function = getattr(method, "tape_transform", None) or getattr(method, "transform", None) or method
    name = getattr(function, "__name__", type(method).__name__)
    return _TRANSFORMS.get(name, name)
