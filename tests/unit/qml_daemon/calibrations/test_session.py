"""The poller beside the follower, as `[follower] calibrations` says."""

import threading
from types import SimpleNamespace
from typing import ClassVar

import pytest

from qml_daemon.calibrations.session import polling
from qml_daemon.configuration import read_config
from qml_daemon.follow import Follower
from qml_daemon.following import doors
from qml_daemon.views.projector import no_listener
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY, system_clock
from quantum_mlops.errors import ConfigError
from quantum_mlops.events import CalibrationColumn, Event, Job, type_name
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for


class FezDoor:
    asked: ClassVar = []

    @classmethod
    def open(cls, environ, timeout_seconds):
        return cls()

    def calibration(self, backend):
        self.asked.append(backend)
        return [CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[1e-4], times=[1.0])]

    def close(self):
        pass


@pytest.fixture
def configure(tmp_path, monkeypatch):
    monkeypatch.delenv("QML_SPOOL_DIR", raising=False)
    point = SimpleNamespace(name="ibm", value="tests:FezDoor", load=lambda: FezDoor)
    monkeypatch.setattr(doors, "entry_points", lambda group: [point])
    monkeypatch.setattr(FezDoor, "asked", [])
    monkeypatch.setenv("QML_STATE_DIR", str(tmp_path))

    def write(interval):
        path = tmp_path / "quantum-mlops.toml"
        path.write_text(f'[follower]\ncalibrations = "{interval}"\n')
        return read_config(path, {"QML_STATE_DIR": str(tmp_path)})

    return write


def run_a_job(folder):
    log = SqliteLog(folder / "store.sqlite", clock=system_clock)
    views = Views(folder, log, 30 * DAY, no_listener)
    follower = Follower(log, [views.seat])
    job = Job(job_id="j", provider="ibm", backend="ibm_fez")
    log.append(
        [
            Event(
                id="0" * 16,
                source="qml://h/a/0",
                type=type_name("job.created"),
                time=1,
                partitionkey="iris",
                project="iris",
                data=job,
            )
        ]
    )
    while follower.step():
        pass
    views.close()
    log.close()


def test_the_devices_of_the_log_are_read_while_the_follower_runs(configure, tmp_path):
    run_a_job(tmp_path)
    with polling(configure("15m"), {}):
        wait_for(lambda: list(read_folder(tmp_path / "spool")), "a calibration in the spool")
    (event,) = read_folder(tmp_path / "spool")
    assert (event.project, event.data.backend, event.data.provider) == ("iris", "ibm_fez", "ibm")
    assert not any(thread.name == "qml-calibrations" for thread in threading.enumerate())


def test_with_an_interval_of_0_nothing_is_read(configure, tmp_path):
    run_a_job(tmp_path)
    with polling(configure("0"), {}):
        assert not any(thread.name == "qml-calibrations" for thread in threading.enumerate())
    assert FezDoor.asked == []


def test_an_interval_of_seconds_is_a_mistake_with_its_place(configure):
    with pytest.raises(
        ConfigError, match=r"follower.calibrations: 5s is too often; .* give 1m or more, or 0 for never"
    ):
        configure("5s")
