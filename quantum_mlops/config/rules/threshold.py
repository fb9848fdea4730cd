"""A user's own bounds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules.names import RuleName, Severity

Countable = Literal[
    "job.created",
    "job.queued",
    "job.running",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.billed",
    "job.unknown",
    "session.opened",
    "session.idle",
    "session.closed",
    "run.started",
    "run.ended",
    "metric.logged",
]


class ThresholdRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's own bound: opens when it is broken for `for`, closes when it no longer is.

    Exactly one of `above`, `below` and `absent` is set. What is bounded is `kind`:

    - `metric`: the values of `metric` in each run. `absent = "10m"`: it came, and then was not received for so long;
    - `cost`: what a job, a run or a project's jobs of `window` cost in `currency`, as far as it is known;
    - `count`: how many `event`s (jobs, sessions, runs) there were in a run or in `window`;
    - `rate`: how many a minute, over `window` of the emitters' time.

    `status` narrows `run.ended`. `keep_firing_for` keeps the finding open that long after the bound is kept again.

    >>> ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8, for_="10m").for_
    '10m'
    >>> ThresholdRule(name="Failures", kind="count", event="job.failed", above=5, window="1h", per="project").per
    'project'
    """

    name: RuleName
    kind: Literal["metric", "cost", "count", "rate"] = "metric"
    metric: Annotated[str, Meta(min_length=1, max_length=256)] = ""
    event: Countable | None = None
    status: Literal["completed", "failed", "cancelled"] | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    above: float | None = None
    below: float | None = None
    absent: Duration | None = None
    window: Duration | None = None
    per: Literal["job", "run", "project"] = "run"
    for_: Duration = field(default="0s", name="for")
    keep_firing_for: Duration = "0s"
    severity: Severity = "warning"
    project: str | None = None
    phase: Literal["train", "validate", "serve"] | None = None
