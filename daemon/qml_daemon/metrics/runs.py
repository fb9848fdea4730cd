"""Runs as metrics: which are active, and how they ended."""

from collections import Counter, OrderedDict
from collections.abc import Iterator

from qml_daemon.metrics.tally import Figure, Tally
from quantum_mlops.clock import MINUTE
from quantum_mlops.events import Event, RunEnded

MOST_RUNS = 10_000
ACTIVE_FOR = 5 * MINUTE
"""Ten heartbeats of the SDK."""
_ENDED = 0


class RunBook:
    """Remembers when the runs heard of last sent something: 10,000 of them. Not thread-safe."""

    def __init__(self, tally: Tally, most: int = MOST_RUNS) -> None:
        self._tally = tally
        self._most = most
        self._heard: OrderedDict[tuple[str, str], tuple[int, tuple[str, ...]]] = OrderedDict()

    def take(self, event: Event, ingestedtime: int) -> None:
        """Note a sign of life, or the end."""
        run = event.context.runid
        if not run:
            return
        key = (event.project, run)
        before, labels = self._heard.get(key) or (None, self._tally.fit("qml_runs_active", event.project))
        if isinstance(event.data, RunEnded):
            if before != _ENDED:
                self._tally.add("qml_runs_ended_total", event.project, event.data.status)
            self._put(key, _ENDED, labels)
        elif before != _ENDED:
            self._put(key, ingestedtime, labels)

    def figures(self, now: int) -> Iterator[Figure]:
        """Yield the number of active runs by project; 0 where all runs heard of are silent or ended."""
        active: Counter[tuple[str, ...]] = Counter()
        for heard, labels in self._heard.values():
            active[labels] += heard > now - ACTIVE_FOR
        for labels, number in active.items():
            yield Figure("qml_runs_active", labels, number)

    def _put(self, key: tuple[str, str], heard: int, labels: tuple[str, ...]) -> None:
        self._heard[key] = (heard, labels)
        self._heard.move_to_end(key)
        if len(self._heard) > self._most:
            self._heard.popitem(last=False)
