"""What in a configuration is no mistake, and yet surely not what was meant: notes of `quantum-mlops config check`."""

from collections.abc import Iterator, Sequence
from typing import Any

from qml_daemon.dispatch.routes import ALL_LABELS
from qml_processors.base import Processor
from qml_processors.runner import RUNNER_LABELS
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.sections import Config, Route

ALERT_LABELS = ("rule", "project")
"""What every alert has besides its finding's own labels (the project where there is one)."""


def advise(config: Config, processors: Sequence[Processor[Any]]) -> Iterator[str]:
    """Yield one line a note, with the path of its key.

    Labels are judged only where every installed processor says which ones it sets.
    """
    known = _known_labels(processors)
    used = set()
    for path, route in _walk(config.route, "route"):
        used.add(route.receiver)
        for label in route.group_by or ():
            if known is not None and label not in known and label != ALL_LABELS:
                hint = "; it may change while an alert fires" if label == "severity" else suggest(label, sorted(known))
                yield f"{path}.group_by: no alert has the label {label!r}{hint}"
    for name in config.receivers:
        if name not in used:
            yield f"receivers.{name}: no route sends to it"


def _known_labels(processors: Sequence[Processor[Any]]) -> set[str] | None:
    known = {*ALERT_LABELS, *RUNNER_LABELS}
    for processor in processors:
        labels = getattr(processor, "labels", None)
        if labels is None:
            return None
        known.update(labels)
    return known


def _walk(route: Route, path: str) -> Iterator[tuple[str, Route]]:
    yield path, route
    for index, nested in enumerate(route.routes):
        yield from _walk(nested, f"{path}.routes[{index}]")
