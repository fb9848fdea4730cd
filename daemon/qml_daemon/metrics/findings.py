"""Findings as metrics: how many are open, and how far canaries are from their references."""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from qml_daemon.metrics.tally import Figure, Tally
from quantum_mlops.events import Event, FindingChanged, type_name

MOST_OPEN = 50_000
_OPENED, _CLOSED, _NOTICE = (type_name(f"finding.{change}") for change in ("opened", "closed", "notice"))


class _Open(Struct, frozen=True, gc=False):
    labels: tuple[str, ...]
    backend: tuple[str, ...]
    hellinger: float | None


class FindingBook:
    """The open findings. Not thread-safe."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._open: dict[str, _Open] = {}
        self._known: set[tuple[str, ...]] = set()

    def take(self, event: Event, finding: FindingChanged, *, counted: bool) -> None:
        """Follow a transition; only a `counted` one counts in the totals (not one from before the start)."""
        if event.type in {_OPENED, _NOTICE} and counted:
            self._tally.add("qml_findings_total", finding.rule, finding.severity)
        if event.type == _NOTICE:
            return
        if event.type == _CLOSED:
            self._open.pop(finding.finding_id, None)
        elif finding.finding_id in self._open or len(self._open) < MOST_OPEN:
            labels = self._tally.fit("qml_findings_open", finding.rule, finding.severity)
            backend = self._tally.fit("qml_drift_hellinger_distance", finding.labels.get("backend"))
            self._open[finding.finding_id] = _Open(labels, backend, finding.values.get("hellinger"))
            self._known.add(labels)

    def figures(self) -> Iterator[Figure]:
        """Yield the open findings; a rule that had one stays at 0."""
        number = Counter(one.labels for one in self._open.values())
        for labels in self._known:
            yield Figure("qml_findings_open", labels, number[labels])
        distance: dict[tuple[str, ...], float] = {}
        for one in self._open.values():
            if one.hellinger is not None:
                distance[one.backend] = max(one.hellinger, distance.get(one.backend, 0.0))
        for labels, value in distance.items():
            yield Figure("qml_drift_hellinger_distance", labels, value)
