"""Steps of a training: numbers that jobs and metrics carry, and what each step took.

The next step is the one that `run.step` names, where that has not ended yet; else the one after it. A step that
begins ends the one before it, so steps never nest; ending, each tells what was submitted in it.
"""

import operator
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from quantum_mlops.events import GradientStatistics, MetricLogged
from quantum_mlops.events.metric import NonFinite
from quantum_mlops.sdk.entry import Item
from quantum_mlops.sdk.expectation import Expectation
from quantum_mlops.sdk.gradient import CopiedGradient, copy_gradient, describe_gradient
from quantum_mlops.sdk.notice import describe
from quantum_mlops.sdk.scalars import split_finite
from quantum_mlops.sdk.tally import Counts, Tally

if TYPE_CHECKING:
    from quantum_mlops.sdk.recorder import Recorder
    from quantum_mlops.sdk.run import Run

_KIND = "metric.logged"
_BYTES = 512


def named(loss: object, values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values by name, the loss among them where there is one."""
    return values if loss is None else {"loss": loss, **values}


def counted_values(counts: Counts, expected: int | None, *, is_watched: bool) -> dict[str, float]:
    """Return what a step took, as values of a metric; what nobody knows is missing.

    `is_watched` tells that the jobs of this run are seen at all: else none is no number of jobs.

    >>> counted_values(Counts(jobs=1, executions=12, shots=12000), 16, is_watched=True)
    {'executions': 12.0, 'executions_expected': 16.0, 'jobs': 1.0, 'shots': 12000.0}
    >>> counted_values(Counts(), None, is_watched=True), counted_values(Counts(), 16, is_watched=False)
    ({}, {'executions_expected': 16.0})
    """
    values: dict[str, float] = {}
    if is_watched and (counts.jobs or expected is not None):
        values["executions"] = float(counts.executions)
    if expected is not None:
        values["executions_expected"] = float(expected)
    if counts.jobs:
        values["jobs"] = float(counts.jobs)
    if counts.shots:
        values["shots"] = float(counts.shots)
    for currency, amount in counts.costs:
        values[f"cost_estimated_{currency.lower()}"] = float(amount)
    if counts.costs and counts.priced < counts.jobs:
        values["jobs_unpriced"] = float(counts.jobs - counts.priced)
    return values


class Steps:
    """The steps of one run. `tally` counts what is submitted now; `counted` is whether anything ever was."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.open: Step | None = None
        self.ended: int | None = None
        self.counted = False

    @property
    def begun(self) -> bool:
        """Whether there was any step yet."""
        return self.open is not None or self.ended is not None

    def end(self) -> None:
        """End the step at hand, if there is one."""
        step = self.open
        if step is not None:
            step.end()

    def next(self, at: object) -> int:
        """Return the number of the step at hand, or of the next where `run.step`, given as `at`, has ended.

        What the user set there may be no number: then it is the one after the last.
        """
        if at is None:
            return 0
        try:
            number = operator.index(at)  # type: ignore[arg-type]  # as below
        except Exception:  # noqa: BLE001 - anything of the user's; the events tell that it is none, and are counted
            number = -1
        if number < 0:
            return 0 if self.ended is None else self.ended + 1
        return number + 1 if number == self.ended else number


class Step:
    """One step of a run; made by `quantum_mlops.step`. Nothing here raises or blocks.

    Used with `with`, or ended by the step that comes after it. `expected` are the executions that the user expects,
    `usual` those of an optimizer's iteration, where neither the user nor an instrumentation says more. `begun`: what
    was submitted since the last step ended belongs to this one.
    """

    def __init__(
        self,
        recorder: "Recorder",
        run: "Run",
        number: int | None = None,
        expected: int | None = None,
        *,
        begun: bool = False,
    ) -> None:
        self.expected = expected
        self.usual: int | None = None
        self.run = run
        self._recorder = recorder
        steps = run.steps
        self._nonce = recorder.nonce
        steps.end()
        self._before = run.step
        self.number = steps.next(run.step) if number is None else operator.index(number)
        run.step = self.number
        if not begun:
            steps.tally = Tally()
        self.tally = steps.tally
        steps.open = self

    @property
    def is_open(self) -> bool:
        """Whether nobody ended it yet."""
        return self.run.steps.open is self

    def log(self, *, loss: object = None, gradient: object = None, **values: object) -> bool:
        """Log the loss, the gradient and other numbers of this step at once; return whether they were queued.

        The gradient is any array-like of real numbers, or `GradientStatistics`; it is copied, and reduced to its
        norm, mean, variance and largest component in the recorder's thread.
        """
        return self._tell(named(loss, values), gradient, None)

    def end(self, *, loss: object = None, gradient: object = None, **values: object) -> bool:
        """End the step: tell what is given, and what was submitted in it. Nothing happens where it has ended."""
        steps = self.run.steps
        if steps.open is not self:
            return False
        steps.open = None
        steps.ended = self.number
        steps.tally = Tally()
        is_own = self._recorder.nonce == self._nonce  # a forked child leaves what was submitted to its parent
        return self._tell(named(loss, values), gradient, self.tally if is_own else None)

    def drop(self) -> None:
        """Forget the step, as if it had not begun: the one before it stays the run's."""
        if self.is_open:
            self.run.steps.open = None
            self.run.step = self._before

    def _tell(self, values: Mapping[str, object], gradient: object, tally: Tally | None) -> bool:
        if not self._recorder.start():
            return False
        told = self._take(values, gradient)
        if tally is None and told == _NOTHING:
            return False
        # Where the gradient has no room, the rest goes without it.
        return self._defer(told, tally) or (
            told.gradient is not None and self._defer(told._replace(gradient=None), tally)
        )

    def _take(self, values: Mapping[str, object], gradient: object) -> "_Told":
        """Copy what is told, and leave out what cannot be."""
        recorder = self._recorder
        told = _NOTHING
        try:
            finite, nonfinite, refused = split_finite(values)
            told = _Told(finite, nonfinite)
            if refused:
                recorder.report("invalid", _KIND, TypeError(f"no number: {', '.join(refused[:10])}"))
            if isinstance(gradient, GradientStatistics):
                told = told._replace(gradient=gradient)
            elif gradient is not None:
                told = told._replace(gradient=copy_gradient(gradient))
        except Exception as error:  # noqa: BLE001 - numbers and arrays of foreign libraries may do anything: counted
            recorder.report("invalid", _KIND, error)
        return told

    def _defer(self, told: "_Told", tally: Tally | None) -> bool:
        size_bytes = _BYTES + (told.gradient.size_bytes if isinstance(told.gradient, CopiedGradient) else 0)
        return self._recorder.defer(
            lambda: self._items(told, tally),
            size_bytes=size_bytes,
            context={"step": self.number},
            type=_KIND,
            run=self.run,
        )

    def _items(self, told: "_Told", tally: Tally | None) -> list[Item]:
        """Make the event; for the recorder's thread."""
        counts: dict[str, float] = {}
        if tally is not None:
            total = tally.total()
            theory = self.expected if self.expected is not None else total.expected or self.usual
            counts = counted_values(total, theory, is_watched=self.run.steps.counted)
        statistics: GradientStatistics | None = None
        unknown: dict[str, NonFinite] = {}
        try:
            statistics, unknown = _statistics(told.gradient)
        except Exception as error:  # noqa: BLE001 - an array that was given away meanwhile: counted, the rest is told
            self._recorder.report("invalid", _KIND, error)
        data = MetricLogged(values=counts | told.finite, nonfinite=told.nonfinite | unknown, gradient=statistics)
        return [Item(_KIND, data)] if data.values or data.nonfinite or statistics is not None else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<Step {self.number} of {self.run!r}>"


class _Told(NamedTuple):
    """What is told of a step, copied."""

    finite: dict[str, float]
    nonfinite: dict[str, NonFinite]
    gradient: CopiedGradient | GradientStatistics | None = None


_NOTHING = _Told({}, {})


def take_step(
    recorder: "Recorder",
    number: int | None,
    values: Mapping[str, object],
    gradient: object,
    expectation: Expectation,
) -> Step:
    """Begin a step of the current run; with values or a gradient end the one at hand. Never raises."""
    run = recorder.runs.current() or recorder.runs.implicit(recorder)
    try:
        if number is not None:
            number = operator.index(number)
    except Exception as error:  # noqa: BLE001 - the user's number: counted, and the run's own is taken
        recorder.report("invalid", _KIND, error)
        number = None
    try:
        expected = expectation.executions()
    except Exception as error:  # noqa: BLE001 - the user's parameters or method: said, and nothing is expected
        recorder.notices.once(f"expectation {describe(error)}", f"no expected executions: {describe(error)}")
        expected = None
    if not values and gradient is None:
        return Step(recorder, run, number, expected)
    step = run.steps.open
    if step is None or (number is not None and number != step.number):
        step = Step(recorder, run, number, expected, begun=True)
    elif expected is not None:
        step.expected = expected
    step.end(gradient=gradient, **values)
    run.step = step.number + 1
    return step


def _statistics(
    gradient: CopiedGradient | GradientStatistics | None,
) -> tuple[GradientStatistics | None, dict[str, NonFinite]]:
    if gradient is None or isinstance(gradient, GradientStatistics):
        return gradient, {}
    statistics, unknown = describe_gradient(gradient.components())
    return statistics, {} if unknown is None else {"gradient_norm": unknown}
