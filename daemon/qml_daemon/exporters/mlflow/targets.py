"""Into which MLflow runs an event goes.

A run's own events name it. A finding on a device names no run: it goes to the runs whose measurements
are its evidence, as far as they were seen lately, and always to the series of its backend or project.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from qml_daemon.exporters.mlflow.entries import Target
from quantum_mlops.events import Event, FindingChanged, ShotsMeasured, SummaryMade

KEPT = 20_000
MOST_RUNS = 20
_V = TypeVar("_V")

FindAsked = Callable[[str, str], str | None]


class Recent(Generic[_V]):
    """The entries used last, 20,000 at most."""

    def __init__(self) -> None:
        self._entries: OrderedDict[object, _V] = OrderedDict()

    def put(self, key: object, value: _V) -> None:
        """Keep a value; the one longest unused goes."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > KEPT:
            self._entries.popitem(last=False)

    def get(self, key: object) -> _V | None:
        """Return the value, which is used by that, or None."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value


class Targets:
    """Remembers which MLflow run the user's own events named, and whose measurement is whose.

    `find_asked(project, run)` tells what an earlier process knew: see `ExporterStore.find_asked`.
    """

    def __init__(self, find_asked: FindAsked) -> None:
        self._find_asked = find_asked
        self._asked: Recent[str] = Recent()
        self._measured: Recent[Target] = Recent()
        self._findings: Recent[tuple[Target, ...]] = Recent()

    def choose(self, event: Event) -> Sequence[Target]:
        """Return the targets of an event, none where it belongs to nobody."""
        data, context = event.data, event.context
        if isinstance(data, FindingChanged):
            return self._of_finding(event, data)
        if isinstance(data, SummaryMade):
            run = data.labels.get("run")
            return (self._run(event.project, run),) if run else (_series(event, data.labels),)
        if not context.runid:
            return (_series(event, {}),)
        asked = context.mlflowrunid or ""
        key = (event.project, context.runid)
        if asked or self._asked.get(key) is None:
            self._asked.put(key, asked)
        target = Target(event.project, "run", context.runid, asked)
        if isinstance(data, ShotsMeasured):
            self._measured.put(event.key, target)
        return (target,)

    def _of_finding(self, event: Event, data: FindingChanged) -> Sequence[Target]:
        run = data.labels.get("run")
        if run:
            return (self._run(event.project, run),)
        seen = [target for key in data.evidence.events if (target := self._measured.get(key)) is not None]
        earlier = self._findings.get(data.finding_id) or ()
        runs = tuple(dict.fromkeys((*earlier, *seen)))[:MOST_RUNS]
        self._findings.put(data.finding_id, runs)
        return (*runs, _series(event, data.labels))

    def _run(self, project: str, run: str) -> Target:
        asked = self._asked.get((project, run))
        if asked is None:
            asked = self._find_asked(project, run) or ""
            self._asked.put((project, run), asked)
        return Target(project, "run", run, asked)


def _series(event: Event, labels: dict[str, str]) -> Target:
    backend = labels.get("backend")
    return Target(event.project, "series", f"backend/{backend}" if backend else "project")
