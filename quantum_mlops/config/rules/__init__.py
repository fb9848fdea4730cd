"""Rules: what processors look for. They reach processors only through the log (`config.applied`).

Every field has a default, so that rules written by an older version keep their meaning.
"""

from msgspec import Struct, field

from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.config.rules.drift import DriftRule
from quantum_mlops.config.rules.lifecycle import LifecycleRule
from quantum_mlops.config.rules.names import RuleName, Severity
from quantum_mlops.config.rules.results import ResultsRule
from quantum_mlops.config.rules.summaries import SummariesRule
from quantum_mlops.config.rules.threshold import ThresholdRule
from quantum_mlops.config.rules.training import TrainingRule

__all__ = [
    "CostRule",
    "DriftRule",
    "LifecycleRule",
    "ResultsRule",
    "RuleName",
    "Rules",
    "Severity",
    "SummariesRule",
    "ThresholdRule",
    "TrainingRule",
]


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rules in force at one instant. `plugins` maps a plugin processor's name to its own rules."""

    threshold: list[ThresholdRule] = field(default_factory=list)
    drift: DriftRule = DriftRule()
    summaries: SummariesRule = SummariesRule()
    lifecycle: LifecycleRule = LifecycleRule()
    cost: CostRule = CostRule()
    training: TrainingRule = TrainingRule()
    results: ResultsRule = ResultsRule()
    plugins: dict[str, dict[str, str | float | bool]] = field(default_factory=dict)
