"""Rules: what processors look for. They reach processors only through the log (`config.applied`).

Every field has a default, so that rules written by an older version keep their meaning.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration

RuleName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Severity = Literal["info", "warning", "critical"]


class ThresholdRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's own bound on a metric: opens when it holds for `for`, closes when it no longer does.

    Exactly one of `above` and `below` is set. `keep_firing_for` keeps the finding open that long
    after the bound is kept again.

    >>> ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8, for_="10m").for_
    '10m'
    """

    name: RuleName
    metric: Annotated[str, Meta(min_length=1, max_length=256)]
    above: float | None = None
    below: float | None = None
    for_: Duration = field(default="0s", name="for")
    keep_firing_for: Duration = "0s"
    severity: Severity = "warning"
    project: str | None = None
    phase: Literal["train", "validate", "serve"] | None = None


class DriftRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CircuitDrift: when a reference execution has moved by more than `minimum_effect`.

    `minimum_effect` is a Hellinger distance; smaller real changes never open a finding, whatever the
    number of shots. `false_alarms` is the declared rate per series, from which the chart's threshold
    is computed. `warmup` is the number of reference executions before the first verdict.
    """

    enabled: bool = True
    minimum_effect: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.05
    false_alarms: str = "1 per 10000 observations"
    warmup: Annotated[int, Meta(ge=1, le=500)] = 10
    severity: Severity = "critical"


class SummariesRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Summaries of runs and of windows of `window` length."""

    enabled: bool = True
    window: Duration = "1m"


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rules in force at one instant. `plugins` maps a plugin processor's name to its own rules."""

    threshold: list[ThresholdRule] = field(default_factory=list)
    drift: DriftRule = DriftRule()
    summaries: SummariesRule = SummariesRule()
    plugins: dict[str, dict[str, str | float | bool]] = field(default_factory=dict)
