"""A user's own bounds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules.names import RuleName, Severity


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
