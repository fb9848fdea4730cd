"""What the training of one run remembers: constant size, small, since it is encoded before each event."""

from msgspec import Struct, field

from quantum_mlops.clock import DAY, MINUTE
from quantum_mlops.config.rules import TrainingRule

END_GRACE = MINUTE
"""Values of a run that were spooled before its end may be appended after it."""
SILENT_AFTER = 2 * DAY
"""A run without metrics for so long is over, even if nobody said so."""


class Loss(Struct, array_like=True, gc=False):
    """The loss of a run.

    Attributes:
        metric: Its name; empty until one came.
        source: Who sent the last value; `time` is that emitter's, `step` the user's where given.
        count: Values seen.
        last: The last value.
        mean: Smoothed value.
        noise: Mean absolute successive difference (moving range).
        start: Mean of the first values.
        best: Lowest smoothed value that counted as an improvement.
        since: `count` at that improvement; `since_time` is the emitter's time.
        moved: Whether the loss ever left `start` by more than its noise, up or down.

    """

    metric: str = ""
    source: str = ""
    time: int = 0
    step: int | None = None
    count: int = 0
    last: float = 0.0
    mean: float = 0.0
    noise: float = 0.0
    start: float = 0.0
    best: float = 0.0
    since: int = 0
    since_time: int = 0
    moved: bool = False


class Gradient(Struct, array_like=True, gc=False):
    """The gradients of a run.

    Attributes:
        count: Gradients seen.
        logs: Natural logarithms of 32 norms that were no outliers, thinned (see `gradient`).
        limit: Above this logarithm a norm is an outlier; None until there are enough.
        high: Outliers in a row; `calm` counts the others in a row while a finding is open.
        level: Smoothed root mean square of the components.
        start: `level` after the first gradients.
        low: Gradients in a row that vanish; `back` counts those in a row that do not.

    """

    count: int = 0
    logs: list[float] = field(default_factory=list)
    limit: float | None = None
    high: int = 0
    calm: int = 0
    level: float = 0.0
    start: float = 0.0
    low: int = 0
    back: int = 0


class TrainingState(Struct, gc=False):
    """One run. `open` names the open findings in the order they opened; times are the log's, nanoseconds.

    `nan_metric` is the loss that was not finite, `finite` counts finite losses since.
    """

    run: str = ""
    project: str = ""
    loss: Loss = field(default_factory=Loss)
    gradient: Gradient = field(default_factory=Gradient)
    open: list[str] = field(default_factory=list)
    nan_metric: str = ""
    finite: int = 0
    ended: int | None = None
    seen: int | None = None


def is_wanted(rule: TrainingRule, finding: str) -> bool:
    """Return whether the rules in force look for this finding."""
    return rule.enabled and finding not in rule.off
