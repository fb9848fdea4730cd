"""What jobs may cost."""

from msgspec import Struct


class CostRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CostSpike, CostCap, BudgetBurn and SpendForecast."""

    enabled: bool = True
