"""Counts what an observed call submits for the step of the run in which it was made.

`Call.count` is the door: executions are circuits at one set of parameter values each (a sampler's circuit, an
estimator's expectation value), shots those of all of them together.
"""

from typing import Any

from quantum_mlops.events import Money
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.tally import Counts, Tally


class Meter:
    """The tally of one call; where the call was made outside any run, that of the implicit one."""

    __slots__ = ("_recorder", "_run", "_tally")

    def __init__(self, recorder: Recorder, run: Any) -> None:
        self._recorder = recorder
        self._run = run
        self._tally: Tally | None = None if run is None else run.steps.tally

    def count(self, executions: int, shots: int, jobs: int) -> None:
        """Add what was submitted. Any thread."""
        self._found().add(Counts(jobs, executions, shots))
        self._run.steps.counted = True

    def expect(self, executions: int) -> None:
        """Add what the method of the gradient should take. Any thread."""
        self._found().add(Counts(expected=executions))

    def price(self, cost: Money | None) -> None:
        """Add what one job is estimated to cost; None, unknown, adds nothing. Any thread."""
        if cost is not None:
            self._found().add_cost(cost)

    def _found(self) -> Tally:
        if self._tally is None:
            self._run = self._recorder.runs.current() or self._recorder.runs.implicit(self._recorder)
            self._tally = self._run.steps.tally
        return self._tally
