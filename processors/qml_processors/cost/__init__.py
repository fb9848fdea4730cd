"""CostCap, CostSpike, BudgetBurn, SpendForecast: what jobs cost, and whether that is as it should be."""

from qml_processors.cost.processor import CostProcessor

__all__ = ["CostProcessor"]
