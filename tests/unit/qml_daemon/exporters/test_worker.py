"""From the log to an exporter: order, cursor, restart, retention, another log."""

from pathlib import Path
from typing import Any

import pytest

from qml_daemon.exporters.base import Figures, Ticket
from qml_daemon.exporters.status import read_exporter_status
from qml_daemon.exporters.store import ExporterStore
from qml_daemon.exporters.worker import Worker
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.config.sections import Config, ExportersSection, HttpSection, LogSection, Route, Rules
from quantum_mlops.errors import LogLockedError
from quantum_mlops.events import Event, MetricLogged, SummaryMade, type_name
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_800_000_000 * SECOND


class Hold:
    """Keeps what it takes; sends all of it when told to."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.held: list[Ticket] = []
        self.room = 10_000
        self.deliver = True

    @property
    def has_room(self) -> bool:
        return len(self.held) < self.room

    def take(self, event: Event, ticket: Ticket) -> None:
        self.taken.append(event)
        ticket.left = 1
        self.held.append(ticket)

    def send(self, *, finish: bool) -> float:
        if self.deliver:
            for ticket in self.held:
                ticket.left = 0
            self.held.clear()
        return 0.01

    def figures(self) -> Figures:
        return Figures(waiting=len(self.held))


class Room:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.config = Config(
            path=None,
            receivers={},
            route=Route(),
            rules=Rules(),
            log=LogSection(),
            http=HttpSection(),
            exporters=ExportersSection(),
            state_dir=folder,
            spool_dir=folder / "spool",
        )
        self.folder = folder
        self.log = SqliteLog(folder / "store.sqlite", clock=self.clock)
        self.log.move_cursors({"log-id": b"one"})
        self.number = 0
        self.exporter = Hold()

    def event(self, short: str = "metric.logged", data: Any = None) -> Event:
        self.number += 1
        return Event(
            id=str(self.number),
            source="s",
            type=type_name(short),
            time=START,
            partitionkey="p",
            project="p",
            data=data or MetricLogged(values={"a": 1.0}),
        )

    def append(self, count: int) -> None:
        self.clock.advance_seconds(1)
        self.log.append([self.event() for _ in range(count)])

    def worker(self, address: str = "http://here") -> Worker:
        store = ExporterStore(self.folder / "exporter-hold.sqlite")
        reader = SqliteLog.open_reader(self.folder / "store.sqlite")
        return Worker("hold", address, self.exporter, store, reader, self.config, self.clock)

    def run(self, since: int | None = None) -> None:
        worker = self.worker()
        if since is not None:
            worker.rewind(since)
        worker.run(until_end=True)
        worker.close()


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    yield made
    made.log.close()


def test_records_of_all_streams_come_in_the_order_in_which_they_were_ingested(room):
    room.append(2)
    room.clock.advance_seconds(1)
    said = SummaryMade(series="p/project", start=0, end=1)
    room.log.commit(0, Commit(summaries=[room.event("summary.window", said)], watermark=b""))
    room.append(1)
    room.run()
    assert [event.id for event in room.exporter.taken] == ["1", "2", "3", "4"]


def test_the_cursor_stays_behind_what_has_not_arrived(room):
    room.append(1200)
    worker = room.worker()
    room.exporter.deliver, room.exporter.room = False, 700
    worker._read()
    worker._read()
    assert 700 <= len(room.exporter.taken) <= 750
    worker._save(now=True)
    assert read_exporter_status(room.folder, "hold").cursor["events/0"] == 0
    for ticket in room.exporter.held[:300]:
        ticket.left = 0
    worker._save(now=True)
    status = read_exporter_status(room.folder, "hold")
    assert (status.cursor["events/0"], status.lag_records) == (300, 900)
    worker.close()


def test_a_new_worker_goes_on_where_everything_had_arrived(room):
    room.append(3)
    room.run()
    room.append(2)
    room.run()
    assert [event.id for event in room.exporter.taken] == ["1", "2", "3", "4", "5"]
    status = read_exporter_status(room.folder, "hold")
    assert (status.state, status.lag_records) == ("stopped", 0)


def test_a_rewind_begins_again_at_a_time(room):
    room.append(3)
    since = room.clock() + SECOND
    room.append(2)
    room.run()
    room.exporter.taken.clear()
    room.run(since)
    assert [event.id for event in room.exporter.taken] == ["4", "5"]


def test_what_retention_took_before_it_was_read_is_counted(room):
    room.append(5)
    room.run()
    room.append(400)
    room.log.commit(0, Commit(watermark=b"", replay_start=405))
    room.clock.advance_seconds(3600)
    while not room.log.retain(older_than=room.clock() - 60 * SECOND, max_bytes=2**40).complete:
        pass
    worker = room.worker()
    worker.close()
    assert read_exporter_status(room.folder, "hold").removed == 400


def test_another_log_at_the_same_place_is_read_from_its_start_and_another_address_forgets_the_runs(room):
    room.append(3)
    room.run()
    store = ExporterStore(room.folder / "exporter-hold.sqlite")
    store.keep("key", ("p", "r", "", "found"))
    store.close()
    room.log.move_cursors({"log-id": b"two"})
    room.run()
    assert len(room.exporter.taken) == 6
    store = ExporterStore(room.folder / "exporter-hold.sqlite")
    assert store.find("key") == "found"
    store.settle(b"two", "http://elsewhere")
    assert store.find("key") is None
    assert store.positions()[Stream.EVENTS, 0] == 3
    store.close()


def test_a_log_that_ends_before_the_cursor_was_restored_and_is_read_from_its_start(room):
    room.append(3)
    room.run()
    store = ExporterStore(room.folder / "exporter-hold.sqlite")
    store.move({(Stream.EVENTS, 0): 900})
    store.close()
    room.run()
    assert len(room.exporter.taken) == 6
    assert read_exporter_status(room.folder, "hold").removed == 0


def test_a_store_has_one_holder(room):
    worker = room.worker()
    with pytest.raises(LogLockedError, match="another exporter works here"):
        ExporterStore(room.folder / "exporter-hold.sqlite")
    worker.close()
    ExporterStore(room.folder / "exporter-hold.sqlite").close()
