"""How many circuit executions a step should take, by the method of its gradient: what the count is held against.

An execution is one circuit at one set of parameter values: a sampler's circuit, an estimator's expectation value.
A step that takes fewer was served from a cache; one that takes more pays for retries, resilience or resampling.
"""

from typing import Final, NamedTuple

_NAME: Final = str.maketrans("_ ", "--")


class Theory(NamedTuple):
    """Executions of one gradient: `per_parameter` for each parameter, and `fixed` more."""

    per_parameter: int
    fixed: int
    source: str


THEORIES: Final[dict[str, Theory]] = {
    "parameter-shift": Theory(2, 0, "Mitarai et al. 2018, PRA 98:032309; Schuld et al. 2019, PRA 99:032331"),
    "hadamard": Theory(1, 0, "linear combination of unitaries: Schuld et al. 2019, PRA 99:032331, section III.B"),
    "finite-diff": Theory(1, 1, "forward differences: Nocedal & Wright 2006, Numerical Optimization, 8.1"),
    "finite-diff-central": Theory(2, 0, "central differences: Nocedal & Wright 2006, Numerical Optimization, 8.1"),
    "spsa": Theory(0, 2, "Spall 1992, IEEE Transactions on Automatic Control 37:332"),
    "spsa-second-order": Theory(0, 4, "Spall 2000, IEEE Transactions on Automatic Control 45:1839"),
    "qnspsa": Theory(0, 6, "two of the loss, four of the fidelity: Gacon et al. 2021, Quantum 5:567"),
    "adjoint": Theory(0, 1, "one pass forth and one back: Jones & Gacon 2020, arXiv:2009.02823"),
    "backprop": Theory(0, 1, "differentiates the one simulation: Griewank & Walther 2008, Evaluating Derivatives, 3"),
    "evaluation": Theory(0, 1, "no gradient: the value alone"),
}
"""By the name of the method."""

_ALIASES: Final = {
    "param-shift": "parameter-shift",
    "lin-comb": "hadamard",
    "finite-difference": "finite-diff",
    "finite-diff-forward": "finite-diff",
    "finite-diff-backward": "finite-diff",
    "reverse": "adjoint",
    "backpropagation": "backprop",
    "gradient-free": "evaluation",
}


def expected_executions(method: str, parameters: int = 0, circuits: int = 1) -> int | None:
    """Return the executions that one gradient of `circuits` circuits takes; None for an unknown method.

    `parameters` counts those that are differentiated, `circuits` what is differentiated: samples of a batch,
    times observables.

    >>> expected_executions("parameter-shift", 8), expected_executions("spsa", 8), expected_executions("adjoint", 8, 32)
    (16, 2, 32)
    >>> expected_executions("finite-diff", 8), expected_executions("by hand", 8)
    (9, None)
    """
    name = method.lower().translate(_NAME)
    theory = THEORIES.get(_ALIASES.get(name, name))
    return None if theory is None else (theory.per_parameter * parameters + theory.fixed) * circuits


class Expectation(NamedTuple):
    """What a user says of the gradient of a step: see `expected_executions`."""

    parameters: object = None
    method: str = "parameter-shift"
    circuits: int = 1

    def executions(self) -> int | None:
        """Return the executions to expect; None where the user did not say enough.

        Raises:
            ValueError: no method of that name is known.
            Exception: what the user's parameters raise when asked for their number.

        >>> Expectation([0.1, 0.2, 0.3]).executions(), Expectation(None, "spsa", 4).executions()
        (6, 8)
        """
        parameters = self.parameters
        fixed = expected_executions(self.method, 0, self.circuits)
        if fixed is None:
            raise ValueError(f"no gradient method {self.method!r}: use one of {', '.join(THEORIES)}")
        if parameters is None:
            return fixed or None
        size = getattr(parameters, "size", None)
        number = parameters if isinstance(parameters, int) else size if isinstance(size, int) else len(parameters)  # type: ignore[arg-type]
        return expected_executions(self.method, number, self.circuits)
