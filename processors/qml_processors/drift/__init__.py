"""CircuitDrift: a reference execution moved by more than the minimum effect."""

from qml_processors.drift.processor import DriftProcessor

__all__ = ["DriftProcessor"]
