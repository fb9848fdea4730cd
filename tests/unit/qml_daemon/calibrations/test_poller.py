"""A poller with doors by script: what is told, what is kept over a restart, what a provider's fault costs."""

import threading

import pytest

from qml_daemon.calibrations.outlet import CalibrationOutlet, new_nonce
from qml_daemon.calibrations.poller import CalibrationPoller, Parts
from qml_daemon.calibrations.told import FILE, ToldFile
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import CalibrationColumn
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder
from tests.waiting import wait_for

NOW = 1_795_176_000 * SECOND


def t1(value):
    return [CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[value], times=[1.0])]


class ScriptedDoor:
    """Answers line by line, the last for ever."""

    def __init__(self, *script):
        self.script, self.opened, self.closed, self.asked = list(script), 0, 0, []

    def open(self):
        self.opened += 1
        return self

    def calibration(self, backend):
        self.asked.append(backend)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed += 1


class Room:
    def __init__(self, folder):
        self.folder, self.shown, self.clock, self.at = folder, [], ManualClock(NOW), 0.0
        self.devices = {("ibm", "ibm_fez"): ["iris"]}

    def poller(self, doors, interval=900.0):
        outlet = CalibrationOutlet(Settings(spool=str(self.folder / "spool"), project="iris"), new_nonce())
        parts = Parts(outlet, ToldFile(self.folder), lambda: self.devices, self.shown.append)
        return CalibrationPoller(doors, interval, parts, self.clock, self.monotonic)

    def monotonic(self):
        self.at += 0.001
        return self.at

    def events(self):
        return sorted(read_folder(self.folder / "spool"), key=lambda event: event.time)


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


def test_only_changes_become_events(room):
    door = ScriptedDoor(t1(1e-4), t1(1e-4), t1(2e-4), t1(1e-4))
    poller = room.poller({"ibm": door.open})
    for _ in range(6):
        room.clock.advance_seconds(900)
        poller.run_once()
    poller.close()
    events = room.events()
    assert [event.data.columns[0].values for event in events] == [[1e-4], [2e-4], [1e-4]]
    assert len({event.source for event in events}) == 3
    assert {(event.id, event.project, event.partitionkey, event.data.provider) for event in events} == {
        ("0" * 16, "iris", "ibm_fez", "ibm")
    }
    assert [look.events for look in room.shown] == [1, 0, 1, 1, 0, 0]
    assert (door.opened, door.closed) == (1, 1)


def test_a_restart_tells_nothing_anew_and_a_lost_file_costs_one_event(room):
    for _ in range(2):
        poller = room.poller({"ibm": ScriptedDoor(t1(1e-4)).open})
        poller.run_once()
        poller.close()
    assert len(room.events()) == 1
    (room.folder / FILE).write_bytes(b"torn{")
    poller = room.poller({"ibm": ScriptedDoor(t1(1e-4)).open})
    poller.run_once()
    poller.close()
    assert len(room.events()) == 2


def test_a_device_without_a_calibration_is_no_event(room):
    poller = room.poller({"ibm": ScriptedDoor([]).open})
    assert [(look.events, look.error) for look in poller.run_once()] == [(0, None)]
    poller.close()
    assert room.events() == []


@pytest.mark.parametrize(
    "fault", [RetryableError("busy", 0.0), PermanentError("no such backend"), ConfigError("no token"), KeyError("odd")]
)
def test_a_providers_fault_is_said_once_and_the_other_devices_are_read(room, fault, caplog):
    room.devices[("ionq", "qpu.forte-1")] = ["iris"]
    poller = room.poller({"ibm": ScriptedDoor(fault).open, "ionq": ScriptedDoor(t1(1.0)).open})
    first, second = poller.run_once(), poller.run_once()
    poller.close()
    assert [bool(look.error) for look in (*first, *second)] == [True, False] * 2
    assert [event.partitionkey for event in room.events()] == ["qpu.forte-1"]
    assert len([record for record in caplog.records if "ibm_fez" in record.message]) == 1


def test_what_could_not_be_written_is_told_at_the_next_reading(room):
    poller = room.poller({"ibm": ScriptedDoor(t1(1e-4)).open})
    (room.folder / "spool").write_text("a file where the folder should be")
    assert poller.run_once()[0].error is not None
    (room.folder / "spool").unlink()
    room.at += 3600
    assert poller.run_once()[0].events == 1
    poller.close()


def test_devices_of_a_provider_that_is_not_asked_are_passed_by(room):
    room.devices = {("qiskit_aer", "aer_simulator"): ["iris"]}
    poller = room.poller({"ibm": ScriptedDoor(t1(1.0)).open})
    assert poller.run_once() == []
    poller.close()


def test_every_project_that_uses_a_device_is_told_in_events_of_its_own(room):
    room.devices = {("ibm", "ibm_fez"): ["iris", "wine"]}
    poller = room.poller({"ibm": ScriptedDoor(t1(1e-4)).open})
    assert [look.events for look in poller.run_once()] == [2]
    poller.close()
    events = room.events()
    assert {event.project for event in events} == {"iris", "wine"}
    assert {event.partitionkey for event in events} == {"ibm_fez"}
    assert len({event.source for event in events}) == 2  # else one would be dropped as the other's duplicate


def test_it_runs_until_it_is_halted(room):
    door = ScriptedDoor(t1(1e-4), t1(2e-4))
    poller = room.poller({"ibm": door.open}, interval=0.02)
    thread = threading.Thread(target=poller.run)
    thread.start()
    wait_for(lambda: len(door.asked) >= 3, "three readings")
    poller.halt()
    thread.join(10)
    assert not thread.is_alive()
    poller.close()
    assert len(room.events()) == 2
