"""What an instrumentation tells of one call of the user's: in the run and step in which the call was made.

Events are built in the recorder's thread. No error of ours reaches the user: each is counted by the recorder.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

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
        return Call(self, run, None if run is None else run.step)

    def failed(self, kind: str, error: BaseException) -> None:
        """Count an error of ours while telling `kind`; it is said once."""
        self.recorder.report("instrumentation_failed", kind, error)


class Call:
    """One call: its run, its step and when it began. `seconds` is our own clock."""

    __slots__ = ("_reports", "began", "run", "step")

    def __init__(self, reports: Reports, run: Any, step: int | None) -> None:
        self._reports = reports
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

    def tell(self, kind: str, build: Callable[[], Iterable[Item]], size_bytes: int) -> None:
        """Have `build` called in the recorder's thread for the events; `size_bytes` is what it keeps alive."""
        context = None if self.step is None else {"step": self.step}  # the run may have gone on since
        try:
            self._reports.recorder.defer(build, size_bytes=size_bytes, type=kind, run=self.run, context=context)
        except Exception as error:  # noqa: BLE001 - the recorder promises not to; the user's job stands above that
            self._reports.failed(kind, error)
