"""What the thresholds of one run remember."""

from msgspec import Struct, field

from quantum_mlops.clock import DAY, MINUTE
from quantum_mlops.config.rules import Severity, ThresholdRule

END_GRACE = MINUTE
"""Values of a run that were spooled before its end may be appended after it."""
SILENT_AFTER = 2 * DAY
"""A run without metrics for so long is over, even if nobody said so."""


class Watch(Struct, gc=False):
    """One rule that has something to remember: broken, open, or kept again but still firing.

    Times of the emitter and of the log, in nanoseconds; None where the phase has not begun. `job` is the last one
    that broke the bound, where a job did. `severity` is the one it opened with: the rule may be gone when it closes.
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
    job: str = ""
    severity: Severity | None = None


class Sight(Struct, frozen=True, gc=False):
    """What a value was seen by where no event brought it: the end of a window."""

    source: str
    time: int
    ingestedtime: int | None
    key: tuple[str, str]


class Tally(Struct, gc=False):
    """A sum over a run or a window.

    Attributes:
        subject: What is summed; another one starts anew.
        buckets: Sums by thirtieth of the window (emitters' time); one bucket where there is no window.
        jobs: The newest 256 jobs and sessions by id as (bucket, rank, amount): none counts twice, and what is known
            of its cost is replaced by what is known better.
        first: Emitter's time of the first event.
        newest: Latest emitter's time.
        ingested: When the last event was appended to the log.
        last: The last event.
        drained: Whether the window passed by the log's clock without an event.

    """

    subject: str = ""
    buckets: dict[int, float] = field(default_factory=dict)
    jobs: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    first: int = 0
    newest: int = 0
    ingested: int = 0
    last: tuple[str, str] = ("", "")
    drained: bool = False


class ThresholdState(Struct, gc=False):
    """The watches of one run by rule (`<name>/below`), and when the run's end was heard of; no `run`: the project's.

    `latest` holds (source, time, id) of the value that each rule last saw; `seen` is the log's time of the last event.
    `tallies` are the sums of rules on costs, counts and rates. `received` holds (log's time, metric,
    source, id) of the last value of a metric whose absence a rule watches.
    """

    run: str = ""
    project: str = ""
    watches: dict[str, Watch] = field(default_factory=dict)
    ended: int | None = None
    seen: int | None = None
    latest: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    received: dict[str, tuple[int, str, str, str]] = field(default_factory=dict)


def rule_id(rule: ThresholdRule) -> str:
    """Return the finding's rule: the name with its direction.

    >>> rule_id(ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8))
    'LowAccuracy/below'
    """
    if rule.above is not None:
        return rule.name + "/above"
    return rule.name + ("/below" if rule.absent is None else "/absent")


def subject_of(rule: ThresholdRule) -> str:
    """Return what a rule bounds, in words.

    >>> subject_of(ThresholdRule(name="Failures", kind="count", event="job.failed", above=5, window="1h"))
    'count of job.failed in 1h'
    """
    if rule.metric:
        return rule.metric
    what = f"{rule.event}{'' if rule.status is None else f' ({rule.status})'}"
    during = "" if rule.window is None else f" in {rule.window}"
    if rule.kind == "cost":
        return f"{rule.per} cost in {rule.currency}{during}"
    return f"count of {what}{during}" if rule.kind == "count" else f"{what} per minute{during}"
