"""The log on Kafka as the daemon uses it, with a log in memory in Kafka's place."""

from pathlib import Path

import pytest

from qml_daemon.delivery.store import OutboxStore
from qml_daemon.home_log import HomeLog
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.errors import LogError, LogLockedError
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.lockfile import LockFile
from quantum_mlops.transports.memory import MemoryLog

START = 1_800_000_000 * SECOND


class Afar(MemoryLog):
    """A log of other machines; `is_away` while it cannot be reached."""

    is_away = False
    loses_the_answer = False

    def append(self, events, **where):
        if self.is_away:
            raise LogError("cannot be reached")
        super().append(events, **where)
        if self.loses_the_answer:
            raise LogError("no answer in time")

    def latest_time(self):
        return 0


class House:
    def __init__(self, folder: Path):
        self.folder = folder
        self.remote = Afar(partitions=3, clock=ManualClock(START))
        self.open()

    def open(self):
        self.store = OutboxStore(self.folder / "outbox.sqlite")
        self.log = HomeLog(self.remote, self.store, LockFile(self.folder / "store.sqlite.lock"), self)
        self.intake = Intake(self.log, self.folder / "spool", ManualClock(START), this_host())

    def close(self):
        """Stand in for those who read along."""

    def crash(self):
        self.intake.close()
        self.store.close()
        self.log.close()
        self.open()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.intake.close()
    made.store.close()
    made.log.close()


def emit(folder, number):
    recorder = Recorder(Settings(spool=str(folder / "spool"), project="iris"))
    recorder.start()
    for value in range(number):
        recorder.emit("metric.logged", MetricLogged(values={"accuracy": float(value)}))
    assert recorder.close(5.0)


def keys(log):
    return [
        record.event.key
        for number in range(log.partitions)
        for record in log.read(Stream.EVENTS, number, 0, 1000)
        if isinstance(record.event.data, MetricLogged)
    ]


def test_the_spool_is_acknowledged_in_the_outbox_file_and_never_in_the_log_of_all(house):
    emit(house.folder, 20)
    house.intake.poll(500)
    assert len(keys(house.remote)) == 20
    assert dict(house.remote.cursors("")) == {}
    assert house.intake.poll(500) == 0


def test_after_a_restart_nothing_is_sent_again(house):
    emit(house.folder, 20)
    house.intake.poll(500)
    house.crash()
    assert house.intake.poll(500) == 0
    assert len(keys(house.remote)) == 20


def test_while_the_log_is_away_the_spool_keeps_everything(house):
    emit(house.folder, 20)
    house.remote.is_away = True
    for _ in range(3):
        with pytest.raises(LogError, match="cannot be reached"):
            house.intake.poll(500)
    house.crash()
    house.remote.is_away = False
    house.intake.poll(500)
    assert len(keys(house.remote)) == 20


def test_an_append_whose_answer_was_lost_is_made_again_and_leaves_equal_keys(house):
    emit(house.folder, 20)
    house.remote.loses_the_answer = True
    with pytest.raises(LogError, match="no answer"):
        house.intake.poll(500)
    house.remote.loses_the_answer = False
    house.intake.poll(500)
    found = keys(house.remote)
    assert len(found) == 40
    assert len(set(found)) == 20


def test_cursors_of_all_are_in_the_log_those_of_the_dispatcher_nowhere(house):
    house.log.move_cursors({"rules/latest": b"1", "spool/segment/a": b"2", "dispatcher/findings/0": b"3"})
    assert dict(house.remote.cursors("")) == {"rules/latest": b"1"}
    assert house.log.cursor("rules/latest") == b"1"
    assert house.log.cursor("spool/segment/a") == b"2"
    assert dict(house.log.cursors("spool/")) == {"spool/segment/a": b"2"}
    house.log.move_cursors({"spool/segment/a": None})
    assert house.log.cursor("spool/segment/a") is None


def test_one_daemon_works_in_a_state_folder(house):
    with pytest.raises(LogLockedError, match="another process"):
        LockFile(house.folder / "store.sqlite.lock")
