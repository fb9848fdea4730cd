"""One minimization as it is watched: each iteration becomes a step of the run.

The loss of an iteration is the function's own value at the point that the optimizer went on with; where the function
was not evaluated there it is the mean of the iteration's values, as SPSA estimates it. No evaluation is added.

Only what runs quantum jobs is told: an iteration in which none was seen, before there was one, is a fit of something
else. The user's own words come first: inside a step that the user began nothing is told, a step that the user ended
is not told again, and where the user logs a loss during an iteration, none is logged beside it.
"""

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import numpy as np

from qml_producers.optimizers.points import Points, key_of, number_of
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.step import Step
from quantum_mlops.sdk.tally import Counts

WATCHING: ContextVar["Descent | None"] = ContextVar("qml_producers_descent", default=None)
"""The minimization of this context: one inside it is a part of it."""

_KIND = "metric.logged"
_PATIENCE = 64
_LOSSES = ("loss", "cost", "objective", "energy")


Ends = Literal["moves", "gradients", "evaluations"]
"""What ends an iteration: the optimizer says that it moved, it asks for the next gradient, or each evaluation does."""


class Plan(NamedTuple):
    """How many evaluations of the function a method takes in an iteration; None where it does not say.

    `first` and `last` are what the first and the last iteration take more, `extra` executions of each iteration
    beside those of the function.
    """

    each: int | None = None
    first: int = 0
    last: int = 0
    extra: int = 0


class Descent:
    """Follows one minimization over `parameters` parameters. Nothing here raises."""

    def __init__(self, recorder: Recorder, parameters: int, plan: Plan, ends: Ends) -> None:
        self.ends = ends
        self._recorder = recorder
        self._run = recorder.runs.current() or recorder.runs.implicit(recorder)
        self._nonce = recorder.nonce
        self._parameters = parameters
        self._plan = plan
        self._points = Points()
        self._step: Step | None = None
        self._unit: int | None = None
        self._iterations = 0
        self._has_jobs = self._is_over = False
        self._idle = 0
        self._clear()

    def _clear(self) -> None:
        self._evaluations = self._unsaid = 0
        self._sum, self._numbers = 0.0, 0
        self._gradient: Any = None
        self._point: bytes | None = None
        self._told_loss = False

    def heard(self, values: Mapping[str, Any]) -> None:
        """Note what the user logs: a loss of the user's own stands for that of the iteration."""
        self._guard(self._heard, values)

    def evaluating(self, point: Any) -> Any:
        """The function is about to be evaluated; return what `evaluated` needs."""
        return self._guard(self._evaluating, point)

    def evaluated(self, before: Any, value: Any) -> None:
        """Take the function's value."""
        if before is not None:
            self._guard(self._evaluated, before, value)

    def differentiating(self, _point: Any) -> None:
        """A gradient is about to be computed: it belongs to the iteration at hand, or is the first of the next."""
        self._guard(self._open)

    def begin(self, point: Any = None) -> None:
        """An iteration begins: at `point`, where that is known."""
        self._guard(self._next, point)

    def differentiated(self, gradient: Any, loss: Any = None) -> None:
        """Take the gradient of this iteration, and the optimizer's own estimate of its loss."""
        self._guard(self._take, gradient, loss)

    def known(self, point: Any, value: Any) -> None:
        """Take the function's value at a point where somebody computed it from what was executed anyway."""
        self._guard(self._know, point, value)

    def moved(self, point: Any, loss: Any = None) -> None:
        """An iteration ended: the optimizer goes on from `point`, with its own word of the loss there if it has one."""
        self._guard(self._moved, point, loss)

    def finish(self) -> None:
        """The minimization is over: what came since the last iteration ended is one more."""
        self._guard(self._finish)

    def _guard(self, action: Callable[..., Any], *args: Any) -> Any:
        if self._is_over or self._recorder.nonce != self._nonce:  # a forked child is no part of this minimization
            return None
        try:
            return action(*args)
        except Exception as error:  # noqa: BLE001 - ours, or a point of the user's own class: counted
            self._recorder.report("instrumentation_failed", _KIND, error)
            return None

    def _heard(self, values: Mapping[str, Any]) -> None:
        names = [str(name).lower() for name in values]
        if self._recorder.current_run() is self._run and any(word in name for name in names for word in _LOSSES):
            self._told_loss = True

    def _open(self) -> Step | None:
        """Return the step of this iteration, begun if need be; None while a step of the user's is open."""
        if self._step is None:
            if self._run.steps.open is not None:
                return None
            self._step = Step(self._recorder, self._run)
        return self._step

    def _evaluating(self, point: Any) -> Any:
        step = self._open()
        size = getattr(point, "size", None)
        points = size // self._parameters if isinstance(size, int) and self._parameters else 1
        return key_of(point), max(1, points), None if step is None else step.tally.total()

    def _evaluated(self, before: Any, value: Any) -> None:
        key, points, counts = before
        self._evaluations += points
        if counts is not None and self._step is not None:
            after = self._step.tally.total()
            if self._unit is None:
                self._unit = (after.executions - counts.executions) // points
            if after.expected == counts.expected:
                self._unsaid += points
        if self._is_idle():
            return
        number = number_of(value)
        if number is None:
            return
        self._sum, self._numbers = self._sum + number, self._numbers + 1
        self._points.remember(key, number)
        if not math.isfinite(number) and not self._told_loss and self._step is not None and self._runs_jobs(self._step):
            self._told_loss = True
            self._step.log(loss=number)
        if self.ends == "evaluations":
            self._end(number)

    def _next(self, point: Any) -> None:
        if self._point is not None or self._gradient is not None:
            self._end(None)
        self._open()
        self._point = b"" if point is None else key_of(point)

    def _take(self, gradient: Any, loss: Any) -> None:
        self._gradient = np.array(gradient, dtype=float)
        number = number_of(loss)
        if number is not None and self._point is not None and self._points.recall(self._point) is None:
            self._points.remember(self._point, number)

    def _know(self, point: Any, value: Any) -> None:
        number, key = number_of(value), key_of(point)
        if number is not None and self._points.recall(key) is None:
            self._points.remember(key, number)

    def _moved(self, point: Any, loss: Any) -> None:
        self._open()
        self._point = key_of(point)
        self._end(number_of(loss))

    def _finish(self) -> None:
        if self._evaluations or self._gradient is not None:
            self._end(None, is_last=True)
        elif self._step is not None:
            self._step.drop()

    def _end(self, loss: float | None, *, is_last: bool = False) -> None:
        """End the step with what the iteration gave, unless the user did."""
        step, plan, is_first = self._step, self._plan, self._iterations == 0
        self._iterations += 1
        if step is not None and not self._runs_jobs(step):
            step.drop()
        elif step is not None and step.is_open:
            if loss is None and self._point is not None:
                loss = self._points.recall(self._point)
            if loss is None and self._numbers:
                loss = self._sum / self._numbers
            if plan.each is not None and self._unit:
                evaluations = plan.each + plan.first * is_first + plan.last * is_last
                step.usual = evaluations * self._unit + plan.extra
            if self._unsaid and self._unit and step.tally.total().expected:  # the gradients said theirs
                step.tally.add(Counts(expected=self._unsaid * self._unit))
            given = {"evaluations": self._evaluations} if self._evaluations else {}
            step.end(loss=None if self._told_loss else loss, gradient=self._gradient, **given)
        self._step = None
        self._clear()

    def _is_idle(self) -> bool:
        """Give up on a function that was evaluated often and never ran a job: somebody else's fit goes on undelayed."""
        if self._has_jobs or self._step is None:
            return False
        self._idle += 1
        if self._idle < _PATIENCE or self._runs_jobs(self._step):
            return False
        self._step.drop()
        self._step = None
        self._is_over = True
        return True

    def _runs_jobs(self, step: Step) -> bool:
        """Tell whether a job, or a pass of a network, was seen in this step or in one before."""
        if not self._has_jobs:
            counts = step.tally.total()
            self._has_jobs = bool(counts.jobs or counts.expected)
        return self._has_jobs


class Watched:
    """The user's function, or its gradient, watched. It pickles as the function itself."""

    def __init__(self, function: Callable[..., Any], before: Callable[[Any], Any], after: Callable[..., None]) -> None:
        self._function = function
        self._before = before
        self._after = after

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return or raise what the function does. The point is the first argument, by whatever name it is given."""
        before = self._before(next(iter(args or kwargs.values()), None))
        value = self._function(*args, **kwargs)
        self._after(before, value)
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._function, name)

    def __reduce__(self) -> Any:
        return _itself, (self._function,)


def _itself(function: Any) -> Any:
    return function
