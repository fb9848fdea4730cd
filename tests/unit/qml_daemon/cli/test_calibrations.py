"""`quantum-mlops calibrations`: recorded files and providers in, events in the spool; what is in force."""

import json
from importlib.resources import files
from types import SimpleNamespace

import pytest

from qml_daemon.follow import Follower
from qml_daemon.following import doors
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_daemon.views.projector import no_listener
from qml_daemon.views.upkeep import Views
from qml_processors.runner.duplicates import is_counted
from quantum_mlops.clock import DAY, SECOND, ManualClock, system_clock
from quantum_mlops.errors import ConfigError
from quantum_mlops.events import CalibrationColumn, Event, Job, type_name
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.transports.sqlite import SqliteLog

FOLDER = files("quantum_mlops.testing").joinpath("calibrations")
RECORDED = sorted(str(one) for one in FOLDER.iterdir() if one.name.startswith("hanoi__"))


class FezDoor:
    provider = "ibm"
    values = 1e-4

    @classmethod
    def open(cls, environ, timeout_seconds):
        if "QISKIT_IBM_TOKEN" not in environ:
            raise ConfigError("ibm: no account; set QISKIT_IBM_TOKEN")
        return cls()

    @staticmethod
    def offers(backend):
        return backend.startswith("ibm_")

    def calibration(self, backend):
        return [CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[self.values], times=[1.0])]

    def close(self):
        pass


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("QML_TARGET", "QML_PROJECT", "QML_DISABLED", "QML_SPOOL_DIR", "QISKIT_IBM_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fez(monkeypatch):
    point = SimpleNamespace(name="ibm", value="tests:FezDoor", load=lambda: FezDoor)
    monkeypatch.setattr(doors, "entry_points", lambda group: [point])
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "x")


def take_in(folder):
    """Let a daemon's intake and views take what is in the spool."""
    log = SqliteLog(folder / "state" / "store.sqlite", clock=ManualClock(1_795_176_000 * SECOND))
    intake = Intake(log, folder / "state" / "spool", system_clock, this_host())
    views = Views(folder / "state", log, 30 * DAY, no_listener)
    follower = Follower(log, [views.seat])
    while intake.poll(1000):
        pass
    return log, views, follower


def project(log, views, follower):
    while follower.step():
        pass
    views.close()
    log.close()


def test_recorded_calibrations_are_imported_at_their_own_dates(run, tmp_path):
    code, out, err = run("calibrations", "import", *RECORDED, "--project", "iris")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("2021-12-09T19:06:00Z  ibm_hanoi  k1:")
    assert lines[-1] == f"{len(RECORDED)} calibrations in {len(RECORDED)} events taken, 0 files wrong"
    events = sorted(read_folder(tmp_path / "state" / "spool"), key=lambda event: event.time)
    assert [event.data.backend for event in events] == ["ibm_hanoi"] * len(RECORDED)
    assert {(event.partitionkey, event.project, event.data.provider) for event in events} == {
        ("ibm_hanoi", "iris", "ibm")
    }
    assert len({event.data.calibration_id for event in events}) == len(RECORDED)


def test_a_second_import_is_the_same_events_which_readers_drop(run, tmp_path):
    for _ in range(2):
        assert run("calibrations", "import", *RECORDED)[0] == 0
    events = list(read_folder(tmp_path / "state" / "spool"))
    assert len(events) == 2 * len(RECORDED)
    assert len({event.key for event in events}) == len(RECORDED)
    assert all(is_counted(event.source, event.id) for event in events)  # remembered for 30 days


def test_a_file_that_is_no_calibration_is_named_and_the_others_are_imported(run, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    code, out, err = run("calibrations", "import", str(wrong), str(tmp_path / "none.json"), RECORDED[0], "--json")
    assert code == 2
    assert [sorted(one) for one in json.loads(out)] == [["error", "file"]] * 2 + [
        ["backend", "calibration_id", "events", "file", "provider", "time"]
    ]
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(wrong), str(tmp_path / "none.json")]
    assert len(list(read_folder(tmp_path / "state" / "spool"))) == 1


def test_switched_off_nothing_is_imported(run, monkeypatch):
    monkeypatch.setenv("QML_DISABLED", "1")
    code, out, err = run("calibrations", "import", RECORDED[0])
    assert (code, out) == (0, "")
    assert "QML_DISABLED is set" in err


def test_what_was_imported_is_listed_and_the_newest_is_in_force(run, tmp_path):
    assert run("calibrations", "import", *reversed(RECORDED))[0] == 0
    project(*take_in(tmp_path))
    code, out, _ = run("calibrations", "list")
    assert code == 0
    newest = json.loads(run("calibrations", "import", RECORDED[-1], "--json")[1])[0]
    assert out.splitlines()[0].split("  ")[1:5] == ["ibm_hanoi", "ibm", "27 qubits", newest["calibration_id"]]
    assert out.splitlines()[-1] == "1 device with a calibration, 0 without"
    (listed,) = json.loads(run("calibrations", "list", "--json")[1])
    assert (listed["calibration_id"], listed["calibration_time"]) == (newest["calibration_id"], newest["time"])


@pytest.mark.usefixtures("fez")
def test_a_device_is_read_once_and_again_only_its_changes_become_events(run, tmp_path, monkeypatch):
    call = ("calibrations", "poll", "--once", "--provider", "ibm", "--backend", "ibm_fez")
    assert run(*call)[:2] == (0, f"ibm  ibm_fez  changed: {known_id(1e-4)}\n")
    assert run(*call)[:2] == (0, "ibm  ibm_fez  as before\n")
    monkeypatch.setattr(FezDoor, "values", 2e-4)
    code, out, _ = run(*call, "--json")
    assert (code, json.loads(out)["calibration_id"], json.loads(out)["events"]) == (0, known_id(2e-4), 1)
    assert len(list(read_folder(tmp_path / "state" / "spool"))) == 2


def known_id(value):
    from quantum_mlops.calibrations import calibration_id

    return calibration_id([CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[value], times=[1.0])])


@pytest.mark.usefixtures("fez")
def test_without_names_the_devices_are_those_on_which_jobs_of_the_log_ran(run, tmp_path):
    code, out, err = run("calibrations", "poll", "--once")
    assert (code, out) == (1, "")
    assert "no device to read; name one" in err
    log, views, follower = take_in(tmp_path)
    for number, (provider, backend) in enumerate(
        [("ibm", "ibm_fez"), ("qiskit_aer", "aer"), ("ibm", "ibm_torino"), ("ibm", "local")]
    ):
        job = Job(job_id=f"j{number}", provider=provider, backend=backend)
        log.append(
            [
                Event(
                    id=f"{number:016x}",
                    source="qml://h/a/0",
                    type=type_name("job.created"),
                    time=1,
                    partitionkey="iris",
                    project="iris",
                    data=job,
                )
            ]
        )
    project(log, views, follower)
    code, out, _ = run("calibrations", "poll", "--once")
    assert {event.project for event in read_folder(tmp_path / "state" / "spool")} == {"iris"}
    assert (code, [line.split("  ")[1] for line in out.splitlines()]) == (0, ["ibm_fez", "ibm_torino"])


@pytest.mark.usefixtures("fez")
def test_a_device_that_cannot_be_read_is_said_with_the_reason(run, monkeypatch):
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    code, out, _ = run("calibrations", "poll", "--once", "--provider", "ibm", "--backend", "ibm_fez")
    assert (code, out) == (1, "ibm  ibm_fez  not read  no account; set QISKIT_IBM_TOKEN\n")


@pytest.mark.usefixtures("fez")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--provider", "imb"], "--provider: no provider is called 'imb'; did you mean ibm?"),
        (["--backend", "ibm_fez"], "--backend needs exactly one --provider, whose device it is"),
        (["--interval", "soon"], "--interval: 'soon' is not a duration"),
        (["--interval", "5s"], "--interval: 5s is too often; calibrations change in hours, give 1m or more"),
    ],
)
def test_a_mistake_in_what_is_asked_is_one_line(run, options, said):
    code, out, err = run("calibrations", "poll", "--once", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert said in err
