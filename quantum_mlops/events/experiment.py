"""Experiments: A/B comparisons by randomised paired blocks."""

from msgspec import Struct, field

from quantum_mlops.events.envelope import Name
from quantum_mlops.events.job import Count


class ExperimentStarted(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An experiment began; the first variant is the control."""

    name: Name
    variants: list[str]
    design: dict[str, str] = field(default_factory=dict)


class ExperimentObserved(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One variant's outcome in one block: successes of n, or a value with its variance."""

    name: Name
    block: Count
    variant: Name
    successes: Count | None = None
    n: Count | None = None
    value: float | None = None
    variance: float | None = None


class ExperimentEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An experiment was ended by its owner; `reason` in their words."""

    name: Name
    reason: str = ""
