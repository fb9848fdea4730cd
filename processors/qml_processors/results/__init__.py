"""ResultsWrong."""

from qml_processors.results.processor import ResultsProcessor

__all__ = ["ResultsProcessor"]
