"""Metrics that user code logs."""

from typing import Literal

from msgspec import Struct, field

from quantum_mlops.events.job import Count

NonFinite = Literal["nan", "inf", "-inf"]


class GradientStatistics(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One gradient in a few numbers; `size` counts its components."""

    size: Count
    norm: float | None = None
    mean: float | None = None
    variance: float | None = None
    max_abs: float | None = None


class MetricLogged(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Values by name at one step. JSON has no NaN: what is not finite travels by name."""

    values: dict[str, float] = field(default_factory=dict)
    nonfinite: dict[str, NonFinite] = field(default_factory=dict)
    phase: Literal["train", "validate", "serve"] | None = None
    gradient: GradientStatistics | None = None
    system: dict[str, float] = field(default_factory=dict)
