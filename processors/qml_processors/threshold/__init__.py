"""A user's own bounds."""

from qml_processors.threshold.processor import ThresholdProcessor
from qml_processors.threshold.state import END_GRACE, SILENT_AFTER, ThresholdState, rule_id

__all__ = ["END_GRACE", "SILENT_AFTER", "ThresholdProcessor", "ThresholdState", "rule_id"]
