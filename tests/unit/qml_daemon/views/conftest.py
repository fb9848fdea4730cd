"""A log on disk, its views beside it, and events by the line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from qml_daemon.follow import Follower, Seat
from qml_daemon.views.projector import Projector
from qml_daemon.views.reader import ViewReader, Window
from qml_daemon.views.schema import Table
from qml_daemon.views.store import open_views
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import Context, Event, FindingChanged, type_name
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_800_000_000 * SECOND


class Watched:
    """One log with its views. `restart` is what a crash or a new start comes to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "views.sqlite"
        self.clock = ManualClock(START)
        self.log = SqliteLog(folder / "store.sqlite", clock=self.clock)
        self.log.move_cursors({"log-id": b"one log"})
        self.told: list[tuple[str, Struct]] = []
        self.numbers = iter(range(1_000_000))
        self.open()

    def open(self) -> None:
        self.store = open_views(self.path, self.log)
        self.projector = Projector(self.store, 30 * DAY, lambda kind, rows: self.told.extend((kind, r) for r in rows))
        seat = Seat(name="views", consumer=self.projector, start=self.store.positions())
        self.follower = Follower(self.log, [seat])

    def restart(self) -> None:
        self.store.close()
        self.open()

    def event(self, short: str, data: Struct, **fields: Any) -> Event:
        context = {name: fields.pop(name) for name in ("runid", "step", "experimentid") if name in fields}
        return Event(
            id=fields.pop("id", f"{next(self.numbers):016x}"),
            source=fields.pop("source", "qml://host/0a/0"),
            type=type_name(short),
            time=fields.pop("time", self.clock()),
            partitionkey=fields.get("project", "iris"),
            project=fields.pop("project", "iris"),
            context=Context(**context),
            data=data,
        )

    def emit(self, short: str, data: Struct, **fields: Any) -> Event:
        event = self.event(short, data, **fields)
        self.log.append([event])
        return event

    def find(self, change: str, finding: str = "f1", **fields: Any) -> None:
        data = FindingChanged(
            finding_id=finding, transition=fields.pop("transition", 0), rule=fields.pop("rule", "CircuitDrift"),
            series="iris/drift/x", severity=fields.pop("severity", "critical"),
            labels=fields.pop("labels", {"backend": "ibm_hanoi"}), **fields,
        )  # fmt: skip
        self.log.commit(0, Commit(findings=[self.event(f"finding.{change}", data)], watermark=b""))

    def show(self) -> None:
        while self.follower.step():
            pass

    def rows(self, table: Table, kind: type[Any], **filters: str) -> list[Any]:
        import msgspec

        self.show()
        reader = ViewReader(self.path)
        found = reader.page(table, filters, Window(limit=1000))
        reader.close()
        return [msgspec.msgpack.decode(body, type=kind) for _, body in found]

    def close(self) -> None:
        self.store.close()
        self.log.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Watched]]:
    made: list[Watched] = []

    def make() -> Watched:
        made.append(Watched(tmp_path_factory.mktemp("views")))
        return made[-1]

    yield make
    for one in made:
        one.close()
