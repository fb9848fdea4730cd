"""What the SDK sees of the user's MLflow, which it never imports."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from quantum_mlops.events import RunStarted
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder


@pytest.fixture
def record(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)

    def one_run(**options):
        recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="iris"))
        with recorder.run("train", **options):
            recorder.log_metrics({"loss": 1.0})
        recorder.close()
        return read_folder(tmp_path / "spool")

    return one_run


def tags_of(events):
    return next(event.data.tags for event in events if isinstance(event.data, RunStarted))


def module(run_id="active", address="http://ann:secret@127.0.0.1:5000"):
    run = SimpleNamespace(info=SimpleNamespace(run_id=run_id))
    return SimpleNamespace(active_run=lambda: run, get_tracking_uri=lambda: address)


def test_without_mlflow_events_name_no_mlflow_run(record):
    events = record()
    assert {event.context.mlflowrunid for event in events} == {None}
    assert "mlflow.tracking_uri" not in tags_of(events)


def test_the_run_of_the_environment_is_in_the_context_of_every_event(record, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "from-the-environment")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@track.example.org/?token=secret")
    events = record()
    assert {event.context.mlflowrunid for event in events} == {"from-the-environment"}
    assert tags_of(events)["mlflow.tracking_uri"] == "https://track.example.org"


def test_the_active_run_of_an_imported_mlflow_wins_over_the_environment(record, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "from-the-environment")
    monkeypatch.setitem(sys.modules, "mlflow", module())
    events = record()
    assert {event.context.mlflowrunid for event in events} == {"active"}
    assert tags_of(events)["mlflow.tracking_uri"] == "http://127.0.0.1:5000"


def test_what_the_user_named_wins_over_both(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", module())
    assert {event.context.mlflowrunid for event in record(mlflow_run="named")} == {"named"}


def test_a_broken_mlflow_is_said_once_and_the_run_goes_on(record, monkeypatch, capsys):
    def fail():
        raise RuntimeError("no store")

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(active_run=fail, get_tracking_uri=fail))
    events = record()
    assert [event.context.mlflowrunid for event in events] == [None] * 3
    assert capsys.readouterr().err.count("cannot see the MLflow run: RuntimeError: no store") == 1


def test_a_half_imported_mlflow_says_nothing(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    assert record()[0].context.mlflowrunid is None


def test_mlflow_is_never_imported(tmp_path):
    code = (
        "import sys, quantum_mlops\nwith quantum_mlops.run('x'):\n  quantum_mlops.log_metrics({'a': 1.0})\n"
        "assert quantum_mlops.flush()\nassert 'mlflow' not in sys.modules\n"
    )
    environ = {"QML_SPOOL_DIR": str(tmp_path), "MLFLOW_RUN_ID": "x", "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
