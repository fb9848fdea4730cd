"""Whether a finding is wanted."""

from quantum_mlops.config.rules.cost import CostFinding, CostRule


def is_on(rule: CostRule, finding: CostFinding) -> bool:
    """Return whether the rule asks for the finding.

    >>> is_on(CostRule(off=["CostSpike"]), "CostSpike"), is_on(CostRule(off=["CostSpike"]), "CostCap")
    (False, True)
    """
    return rule.enabled and finding not in rule.off
