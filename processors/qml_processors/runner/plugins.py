"""Processors that are installed, found by their entry points."""

from importlib.metadata import entry_points
from typing import Any

from qml_processors.base import Processor

GROUP = "quantum_mlops.processors"


def load_processors() -> list[Processor[Any]]:
    """Return one instance of every installed processor, sorted by name.

    Raises:
        ImportError: an entry point names what cannot be imported.

    """
    found: list[Processor[Any]] = [entry.load()() for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda processor: processor.name)
