"""PennyLane's optimizers: each step of one is a step of the run, told when it ends, without an evaluation more.

The loss is the optimizer's own: what `step_and_cost` returns, or the forward pass of the gradient. The user's own
words come first: in a step that the user began nothing is told, and where the user ends steps between two of ours,
ours stop. A step that ran no job, before any did, fits something that is not quantum.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.optimizers.points import number_of
from qml_producers.optimizers.watching import is_wanted
from qml_producers.pennylane.values import plain
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.step import Step

_KIND = "metric.logged"
_STEPS = ("step", "step_and_cost")
_OTHER_WORLDS = ("QJIT",)  # optimizers of compiled programs, whose steps are traced


class Seen:
    """What one step of an optimizer showed."""

    def __init__(self) -> None:
        self.loss: float | None = None
        self.gradient: NDArray[np.float64] | None = None


STEPPING: ContextVar[Seen | None] = ContextVar("qml_producers_pennylane_step", default=None)
"""The optimizer's step of this context: one inside it is a part of it."""


class OptimizerHooks:
    """Watches the optimizers for one recorder. Nothing here raises into the host."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ended: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def install(self, module: ModuleType) -> Callable[[], None]:
        """Wrap the optimizers of `pennylane.optimize` and the user's own that exist; return the undo."""
        return wrap_methods(self._methods(module))

    def _methods(self, module: ModuleType) -> Iterator[Method]:
        for kind in _optimizers(module):
            for name in _STEPS:
                if name in kind.__dict__:
                    yield kind, name, self._stepping(has_cost=name == "step_and_cost")
            if "compute_grad" in kind.__dict__:
                yield kind, "compute_grad", self._differentiating(is_alone=kind.__name__.startswith("SPSA"))

    def _stepping(self, *, has_cost: bool) -> Wrapper:
        def step(wrapped: Callable[..., Any], optimizer: Any, args: Any, kwargs: Any) -> Any:
            outer = STEPPING.get()
            if outer is not None:
                result = wrapped(*args, **kwargs)
                if has_cost:
                    self._note_cost(outer, optimizer, result)
                return result
            begun = self._begin()
            if begun is None:
                return wrapped(*args, **kwargs)
            seen = Seen()
            outside = STEPPING.set(seen)
            try:
                result = wrapped(*args, **kwargs)
            except BaseException:
                begun.drop()
                raise
            finally:
                STEPPING.reset(outside)
            if has_cost:
                self._note_cost(seen, optimizer, result)
            self._end(begun, seen, partial(_expected, optimizer, args, kwargs, has_cost=has_cost))
            return result

        return step

    def _differentiating(self, *, is_alone: bool) -> Wrapper:
        """`is_alone`: the method returns the gradient, and no forward pass beside it."""

        def compute_grad(wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)
            seen = STEPPING.get()
            if seen is not None:
                try:
                    seen.gradient = components(result if is_alone else result[0])
                    seen.loss = None if is_alone else number_of(plain(result[1]))
                except Exception as error:  # noqa: BLE001 - an optimizer of the user's own: counted
                    self._recorder.report("instrumentation_failed", _KIND, error)
            return result

        return compute_grad

    def _begin(self) -> Step | None:
        try:
            recorder = self._recorder
            if not is_wanted(recorder):
                return None
            run = recorder.runs.current() or recorder.runs.implicit(recorder)
            ours = self._ended.get(run)
            return Step(recorder, run) if ours is None or ours == run.steps.ended else None
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._recorder.report("instrumentation_failed", _KIND, error)
            return None

    def _note_cost(self, seen: Seen, optimizer: Any, result: Any) -> None:
        try:
            place = -1 if isinstance(optimizer, qml.RotoselectOptimizer) else 1
            seen.loss = number_of(plain(result[place]))
        except Exception as error:  # noqa: BLE001 - an optimizer of the user's own: counted
            self._recorder.report("instrumentation_failed", _KIND, error)

    def _end(self, step: Step, seen: Seen, expected: Callable[[], int | None]) -> None:
        try:
            run, counts = step.run, step.tally.total()
            if not counts.jobs and not run.steps.counted:
                step.drop()
                return
            if counts.jobs:
                step.expected = expected()
            if step.end(loss=seen.loss, gradient=seen.gradient):
                self._ended[run] = step.number
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._recorder.report("instrumentation_failed", _KIND, error)


def components(gradient: Any) -> NDArray[np.float64] | None:
    """Return all components of a gradient in one row; None where one of its arrays has no values.

    >>> components((np.array([[1.0, 2.0]]), np.array(3.0)))
    array([1., 2., 3.])
    """
    parts: Sequence[Any] = gradient if isinstance(gradient, (tuple, list)) else (gradient,)
    values = [plain(part) for part in parts]
    if not values or any(value is None for value in values):
        return None
    return np.concatenate([np.ravel(np.asarray(value, dtype=np.float64)) for value in values])


def _expected(optimizer: Any, args: Any, options: Mapping[str, Any], *, has_cost: bool) -> int | None:
    """Of an optimizer without gradients, where its cost is one circuit."""
    is_circuit = bool(args) and isinstance(args[0], qml.QNode)
    return evaluations_of(optimizer, options, has_cost=has_cost) if is_circuit else None


def evaluations_of(optimizer: Any, options: Mapping[str, Any], *, has_cost: bool) -> int | None:
    """Return how often a step without gradients should evaluate the cost; None where others know better.

    SPSA evaluates it twice (Spall 1992), QNSPSA twice and four overlaps for its metric, in each resampling (Gacon et
    al. 2021, Quantum 5:567), and here and there where it blocks; the cost itself is one more. Rotosolve evaluates
    it for each parameter once, and twice for each of its frequencies (Wierichs et al. 2022, Quantum 6:677).
    """
    if isinstance(optimizer, qml.SPSAOptimizer):
        return 2 + has_cost
    if isinstance(optimizer, qml.QNSPSAOptimizer):
        return 6 * int(optimizer.resamplings) + (2 if optimizer.blocking else int(has_cost))
    frequencies = options.get("nums_frequency")
    if isinstance(optimizer, qml.RotosolveOptimizer) and isinstance(frequencies, Mapping):
        return sum(2 * int(number) + 1 for each in frequencies.values() for number in each.values())
    return None


def _optimizers(module: ModuleType) -> Iterator[type]:
    """The optimizers that a module holds, and all that were derived from them."""
    seen: set[type] = set()
    waiting = [kind for kind in vars(module).values() if isinstance(kind, type) and hasattr(kind, "step")]
    while waiting:
        kind = waiting.pop()
        if kind not in seen and not kind.__name__.endswith(_OTHER_WORLDS):
            seen.add(kind)
            waiting += kind.__subclasses__()
            yield kind
