"""An exporter on a tracking server in memory, which answers as MLflow does and can be made to refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qml_daemon.exporters.base import Ticket
from qml_daemon.exporters.mlflow.door import UnreachableError
from qml_daemon.exporters.mlflow.entries import Batch, End, Remote, Target
from qml_daemon.exporters.mlflow.exporter import Means, MlflowExporter
from qml_daemon.exporters.store import ExporterStore
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.errors import PermanentError
from quantum_mlops.events import Context, Event, type_name

START = 1_800_000_000 * SECOND
ADDRESS = "http://127.0.0.1:5000"


class MemoryDoor:
    """Keeps runs as MLflow does. `before` is called with every call and may raise; `poison` names a refused metric."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.runs: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[float, str, str]] = []
        self.batches: list[Batch] = []
        self.before: Callable[[str], None] = lambda _: None
        self.poison: str | None = None

    def _begin(self, kind: str, run: str) -> None:
        self.calls.append((self._now(), kind, run))
        self.before(kind)

    def add(self, run_id: str, key: str = "", *, deleted: bool = False) -> None:
        self.runs[run_id] = {"key": key, "deleted": deleted, "metrics": set(), "params": {}, "tags": {}, "end": None}

    def _remote(self, run_id: str) -> Remote:
        run = self.runs[run_id]
        return Remote(run_id, run["deleted"], dict(run["params"]), run["tags"].get("qml.backend", ""))

    def read_run(self, run_id: str) -> Remote | None:
        self._begin("read", run_id)
        return self._remote(run_id) if run_id in self.runs else None

    def find_run(self, target: Target) -> Remote | None:
        self._begin("find", target.key)
        return next((self._remote(name) for name, run in self.runs.items() if run["key"] == target.key), None)

    def create_run(self, target: Target, started_ms: int) -> Remote:
        self._begin("create", target.key)
        run_id = f"made-{len(self.runs)}"
        self.add(run_id, target.key)
        return self._remote(run_id)

    def write(self, run_id: str, batch: Batch) -> None:
        self._begin("write", run_id)
        run = self.runs[run_id]
        if run["deleted"] or any(metric.name == self.poison for metric in batch.metrics):
            raise PermanentError("INVALID_PARAMETER_VALUE: refused")
        if any(run["params"].get(name, value) != value for name, value in batch.params.items()):
            raise PermanentError("INVALID_PARAMETER_VALUE: changing params is not allowed")
        self.batches.append(batch)
        run["metrics"] |= {(one.name, one.value, one.time_ms, one.step) for one in batch.metrics}
        run["params"] |= batch.params
        run["tags"] |= batch.tags

    def end(self, run_id: str, end: End) -> None:
        self._begin("end", run_id)
        self.runs[run_id]["end"] = end.status


class Bench:
    """One exporter and the time; `restart` is what a new process comes to."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.door = MemoryDoor(lambda: self.now)
        self.path = folder / "exporter-mlflow.sqlite"
        self.tickets: list[Ticket] = []
        self.number = 0
        self.open()

    def open(self) -> None:
        self.store = ExporterStore(self.path)
        means = Means(
            door=self.door,
            store=self.store,
            address=ADDRESS,
            external_url="https://watch.example.org",
            clock=ManualClock(START),
            monotonic=lambda: self.now,
        )
        self.exporter = MlflowExporter(means)

    def restart(self) -> None:
        self.store.close()
        self.open()

    def event(self, short: str, data: Any, *, runid: str | None = "r1", project: str = "iris", **context: Any) -> Event:
        self.number += 1
        return Event(
            id=f"{self.number:016x}",
            source="qml://host/nonce/0",
            type=type_name(short),
            time=START + self.number * SECOND,
            partitionkey=project,
            project=project,
            context=Context(runid=runid, **context),
            data=data,
        )

    def take(self, *events: Event) -> None:
        for event in events:
            ticket = Ticket(len(self.tickets))
            self.exporter.take(event, ticket)
            self.tickets.append(ticket)

    def run(self, seconds: float = 60.0, *, finish: bool = True) -> None:
        end = self.now + seconds
        while self.now < end:
            wait = self.exporter.send(finish=finish)
            if not self.exporter.figures().waiting:
                return
            self.now += max(wait, 0.01)

    @property
    def left(self) -> int:
        return sum(ticket.left for ticket in self.tickets)

    def unreachable(self, kind: str) -> None:
        raise UnreachableError("API request failed")


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()
