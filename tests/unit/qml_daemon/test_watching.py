"""What is being watched, as `quantum-mlops alerts` says it where nothing fires."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from qml_daemon.cli import main
from qml_daemon.configuration import read_config
from qml_daemon.follow import Follower
from qml_daemon.views.projector import no_listener
from qml_daemon.views.schema import connect_writer
from qml_daemon.views.upkeep import Views
from qml_daemon.watching import read_watching, watching_line
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.config.sections import Config
from quantum_mlops.events import Context, Event, Footprint, Outcomes, RunStarted, ShotsMeasured, type_name
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.sqlite import SqliteLog

NOW = 1_795_176_000 * SECOND
NOBODY = "nothing is watched now, no daemon is known here"
BELL = ShotsMeasured(
    job_id="j", backend="ibm_hanoi", circuit="c1:a\x1b", shots=10, reference="canary",
    footprint=Footprint(qubits=[0, 1]), outcomes=Outcomes(bits=1, keys=bytes(1), counts=[10]),
)  # fmt: skip


class Place:
    """A state folder with a log and its views, without a daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        self.log = SqliteLog(folder / "state" / "store.sqlite", clock=ManualClock(NOW))
        self.views = Views(folder / "state", self.log, 30 * DAY, no_listener)
        self.follower = Follower(self.log, [self.views.seat])
        self.number = 0

    def emit(self, short: str, data: RunStarted | ShotsMeasured, run: str | None = None) -> None:
        self.number += 1
        self.log.append([
            Event(
                id=f"{self.number:016x}", source="qml://h/a/0", type=type_name(short), time=NOW, partitionkey="iris",
                project="iris", context=Context(runid=run), data=data,
            )
        ])  # fmt: skip
        while self.follower.step():
            pass

    def config(self, **environ: str) -> Config:
        return read_config(None, {"QML_STATE_DIR": str(self.folder / "state"), "HOME": str(self.folder), **environ})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    made = Place(tmp_path)
    yield made
    made.views.close()
    made.log.close()


def test_a_canary_is_counted_against_the_warm_up_of_the_rule(place: Place) -> None:
    place.emit("run.started", RunStarted(name="vqc"), "r1")
    for _ in range(7):
        place.emit("canary.measured", BELL)
    found = read_watching(place.config(), NOW)
    assert found is not None
    assert (found.daemon, found.running) == (None, 1)
    line = watching_line(found)
    assert line == f"{NOBODY}; canary c1:a\x1b on ibm_hanoi 0-1: warming up, 7 of 10 executions seen"
    working = replace(found, daemon="ready")
    assert watching_line(working).startswith("watching 1 run; canary ")
    few = place.config(QML_RULES__DRIFT__WARMUP="3")
    assert "7 executions seen, the first 3 to warm up" in watching_line(read_watching(few, NOW))
    off = place.config(QML_RULES__DRIFT__ENABLED="false")
    assert "7 executions seen, the drift rule is off" in watching_line(read_watching(off, NOW))


def test_a_canary_that_the_drift_processor_has_forgotten_is_not_claimed(place: Place) -> None:
    place.emit("canary.measured", BELL)
    assert "no canary was executed in 30 days" not in watching_line(read_watching(place.config(), NOW + 29 * DAY))
    assert "no canary was executed in 30 days" in watching_line(read_watching(place.config(), NOW + 30 * DAY))


def test_of_many_canaries_the_last_three_are_named(place: Place) -> None:
    for number in range(5):
        place.emit("canary.measured", replace(BELL, circuit=f"c1:{number}"))
    line = watching_line(read_watching(place.config(), NOW))
    assert line.count("canary c1:") == 3
    assert line.endswith("; and 2 more canaries (--json)")


def test_views_of_another_version_are_not_guessed_at(place: Place) -> None:
    place.views.close()
    connection = connect_writer(place.folder / "state" / "views.sqlite")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert read_watching(place.config(), NOW) is None


def test_alerts_says_it_where_nothing_fires_and_always_in_json(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QML_STATE_DIR", str(place.folder / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.folder))
    monkeypatch.delenv("QML_CONFIG", raising=False)
    monkeypatch.setattr("qml_daemon.watching.time.time_ns", lambda: NOW)
    place.emit("canary.measured", BELL)
    assert main(["alerts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "0 firing, 0 resolved, 0 notices",
        f"{NOBODY}; canary c1:a? on ibm_hanoi 0-1: warming up, 1 of 10 executions seen",
    ]
    assert main(["alerts", "--json"]) == 0
    watching = json.loads(capsys.readouterr().out)["watching"]
    assert watching == {
        "daemon": None,
        "running": 0,
        "canaries": [{
            "project": "iris", "backend": "ibm_hanoi", "circuit": "c1:a\x1b", "qubits": [0, 1], "executions_seen": 1,
            "warmup": 10, "last": format_time(NOW),
        }],
    }  # fmt: skip
