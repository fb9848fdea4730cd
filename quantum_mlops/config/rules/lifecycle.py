"""Jobs and runs that stand still, fail or wait too long."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules.names import RuleName, Severity

Share = Annotated[float, Meta(gt=0.0, lt=1.0)]
Scope = Literal["backend", "project"]


class StuckRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """JobStuck: of a job that is not over, no further status was received for longer than a limit.

    `created`, `queued` and `running` are fixed limits for a job in that status. One that is unset is learned per
    backend: `margin` times the upper bound (order statistic, 95 % confidence) of the 95 % quantile of the time that
    its last ended jobs spent in the status, once 59 of them are known, and at least `least`. Until then the limit is
    the `cap_` of the status. After `give_up` without news the job is dropped and its finding closes.
    """

    enabled: bool = True
    created: Duration | None = None
    queued: Duration | None = None
    running: Duration | None = None
    margin: Annotated[float, Meta(ge=1.0, le=1000.0)] = 5.0
    least: Duration = "10m"
    cap_created: Duration = "1d"
    cap_queued: Duration = "1d"
    cap_running: Duration = "12h"
    give_up: Duration = "7d"
    severity: Severity = "warning"


class FailuresRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """JobFailureRate: more jobs of a backend (or project) fail than its own history explains.

    `false_alarms` is the declared rate per series while the share of failures is what it was; one observation is
    one ended job. `rise` is the absolute rise of the share that the chart is tuned to find. No verdict before
    `minimum_jobs` ended jobs. A share above `highest_normal` never counts as normal. `scopes` says of what the share
    is watched: one broken backend of a project is reported twice with both.
    """

    enabled: bool = True
    false_alarms: str = "1 per 10000 observations"
    rise: Annotated[float, Meta(ge=0.05, le=0.5)] = 0.2
    minimum_jobs: Annotated[int, Meta(ge=1, le=500)] = 30
    highest_normal: Annotated[float, Meta(ge=0.05, le=0.8)] = 0.5
    scopes: list[Scope] = field(default_factory=lambda: ["backend"])
    severity: Severity = "warning"


class QueueObjective(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """QueueTimeSLO: the share `target` of the jobs shall wait at most `queue_seconds` (seconds) in the queue.

    Opens when the error budget burns too fast in a long and a short window: more than 14.4 times in 1 h and 5 min or
    6 times in 6 h and 30 min (`severity`), or more than once in 3 d and 6 h (`slow_severity`), with at least
    `minimum_jobs` jobs in the long one. `scope` says whether each backend or the project as a whole has the budget;
    `backend` and `project`: only these.

    >>> QueueObjective(name="Interactive", queue_seconds=600.0, target=0.95).scope
    'backend'
    """

    name: RuleName
    queue_seconds: Annotated[float, Meta(gt=0.0, le=31_536_000.0)]
    target: Share
    scope: Scope = "backend"
    backend: str | None = None
    project: str | None = None
    minimum_jobs: Annotated[int, Meta(ge=1, le=10_000)] = 10
    severity: Severity = "critical"
    slow_severity: Severity = "warning"


class SilentRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RunSilent: of a run that has not ended, no sign of life was received for `after` (heartbeats come every 30 s).

    After `give_up` the run is taken for gone and the finding closes.
    """

    enabled: bool = True
    after: Duration = "10m"
    give_up: Duration = "1d"
    severity: Severity = "warning"


class LifecycleRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """JobStuck, JobFailureRate, QueueTimeSLO and RunSilent; `enabled` switches all of them.

    >>> LifecycleRule().silent.after
    '10m'
    """

    enabled: bool = True
    stuck: StuckRule = StuckRule()
    failures: FailuresRule = FailuresRule()
    queue: list[QueueObjective] = field(default_factory=list)
    silent: SilentRule = SilentRule()
