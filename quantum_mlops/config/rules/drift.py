"""When a reference execution has moved."""

from typing import Annotated

from msgspec import Meta, Struct

from quantum_mlops.config.rules.names import Severity


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
