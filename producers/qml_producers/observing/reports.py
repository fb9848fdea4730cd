"""What an instrumentation tells of one call of the user's: in the run and step in which the call was made.

Events are built in the recorder's thread. No error of ours reaches the user: each is counted by the recorder.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from qml_producers.observing.meter import Meter
from quantum_mlops.events import Money
from quantum_mlops.sdk.recorder import Item, Recorder


class Reports:
    """The recorder as one instrumentation uses it. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded."""
        return self.recorder.enabled

    def begin(self) -> "Call":
        """Return a call that begins now. Never raises."""
        run = self.recorder.current_run()
        return Call(self, run, None if run is None else run.step, Meter(self.recorder, run))

    def failed(self, kind: str, error: BaseException) -> None:
        """Count an error of ours while telling `kind`; it is said once."""
        self.recorder.report("instrumentation_failed", kind, error)


class Call:
    """One call: its run, its step and when it began. `seconds` is our own clock."""

    __slots__ = ("_meter", "_reports", "began", "run", "step")

    def __init__(self, reports: Reports, run: Any, step: int | None, meter: Meter) -> None:
        self._reports = reports
        self._meter = meter
        self.run = run
        self.step = step
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the seconds since the call began."""
        return time.monotonic() - self.began

    @property
    def run_id(self) -> str | None:
        """Return the id of the run, None outside any."""
        return None if self.run is None else self.run.id

    def count(self, executions: int, shots: int = 0, jobs: int = 1) -> None:
        """Count what was submitted, once a call and in any thread: for the step's executions, jobs and shots.

        `executions` are circuits at one set of parameter values each (a sampler's circuit, an estimator's expectation
        value), `shots` those of all of them together, 0 where there are none or they are unknown. Never raises.
        """
        self._metered(lambda meter: meter.count(executions, shots, jobs))

    def expect(self, executions: int) -> None:
        """Count the executions that the method of a gradient should take (`sdk.expectation`). Never raises."""
        self._metered(lambda meter: meter.expect(executions))

    def price(self, cost: Money | None) -> None:
        """Count the estimated cost of one job, where it is known: in any thread, the recorder's too. Never raises."""
        self._metered(lambda meter: meter.price(cost))

    def _metered(self, count: Callable[[Meter], None]) -> None:
        try:
            count(self._meter)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("metric.logged", error)

    def tell(self, kind: str, build: Callable[[], Iterable[Item]], size_bytes: int) -> None:
        """Have `build` called in the recorder's thread for the events; `size_bytes` is what it keeps alive."""
        context = None if self.step is None else {"step": self.step}  # the run may have gone on since
        try:
            self._reports.recorder.defer(build, size_bytes=size_bytes, type=kind, run=self.run, context=context)
        except Exception as error:  # noqa: BLE001 - the recorder promises not to; the user's job stands above that
            self._reports.failed(kind, error)
