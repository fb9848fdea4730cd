"""What the thresholds of one run remember."""

from msgspec import Struct, field

from quantum_mlops.clock import DAY, MINUTE

END_GRACE = MINUTE
"""Values of a run that were spooled before its end may be appended after it."""
SILENT_AFTER = 2 * DAY
"""A run without metrics for so long is over, even if nobody said so."""


class Watch(Struct, gc=False):
    """One rule that has something to remember: broken, open, or kept again but still firing.

    Times of the emitter and of the log, in nanoseconds; None where the phase has not begun.
    """

    source: str = ""
    broken: int | None = None
    broken_ingested: int | None = None
    kept: int | None = None
    kept_ingested: int | None = None
    open: bool = False
    value: float | None = None
    metric: str = ""
    bound: float = 0.0
    evidence: list[tuple[str, str]] = field(default_factory=list)


class ThresholdState(Struct, gc=False):
    """The watches of one run by rule (`<name>/below`), and when the run's end was heard of.

    `latest` holds (source, time, id) of the value that each rule last saw; `seen` is the log's time of the last event.
    """

    run: str = ""
    project: str = ""
    watches: dict[str, Watch] = field(default_factory=dict)
    ended: int | None = None
    seen: int | None = None
    latest: dict[str, tuple[str, int, str]] = field(default_factory=dict)
