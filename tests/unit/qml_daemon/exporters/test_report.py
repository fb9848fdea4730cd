"""What doctor says of the exporter."""

import time

import pytest
from msgspec.structs import replace

from qml_daemon.configuration import read_config
from qml_daemon.exporters.base import Figures
from qml_daemon.exporters.process import ProcessStats
from qml_daemon.exporters.report import remark, report_exporters
from qml_daemon.exporters.status import ExporterStatus, write_exporter_status
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import ConfigError

ENVIRON = {"HOME": "/nonexistent"}


def config_of(folder, address="http://127.0.0.1:5000", more=""):
    file = folder / "quantum-mlops.toml"
    file.write_text(f'[exporters.mlflow]\ntracking_uri = "{address}"\n[state]\ndir = "."\n{more}')
    return read_config(file, ENVIRON)


def status_of(**changes):
    now = time.time_ns()
    status = ExporterStatus(
        name="mlflow",
        version="0",
        pid=1,
        state="running",
        address="http://127.0.0.1:5000",
        started=now - 600 * SECOND,
        written=now,
        cursor={},
        lag_records=3,
        removed=0,
        log_errors=0,
        figures=Figures(sent={"metrics": 5, "params": 0}, last_success=now),
    )
    return replace(status, **changes)


def report(folder, status=None, environ=ENVIRON, *, has_daemon=True):
    config = config_of(folder)
    if status is not None:
        write_exporter_status(folder, status)
    return list(report_exporters(config, environ, has_daemon=has_daemon))


def test_nothing_is_said_where_none_is_configured(tmp_path):
    (tmp_path / "quantum-mlops.toml").write_text("")
    config = read_config(tmp_path / "quantum-mlops.toml", ENVIRON)
    assert list(report_exporters(config, ENVIRON, has_daemon=True)) == []


def test_before_its_first_start_it_says_so(tmp_path):
    ((_, verdict, text),) = report(tmp_path)
    assert verdict == "note"
    assert "no exporter has run here yet" in text


def test_one_that_works_is_ok(tmp_path):
    assert report(tmp_path, status_of()) == [("mlflow", "ok", "http://127.0.0.1:5000: 3 records behind, 5 metrics")]


def test_one_that_hangs_fails(tmp_path):
    ((_, verdict, text),) = report(tmp_path, status_of(written=time.time_ns() - 60 * SECOND))
    assert (verdict, "hangs or was killed" in text) == ("fail", True)
    ((_, verdict, text),) = report(tmp_path, status_of(written=time.time_ns() - 60 * SECOND), has_daemon=False)
    assert (verdict, "stopped 60 s ago" in text) == ("note", True)


def test_one_that_is_cut_off_fails_with_the_last_error(tmp_path):
    now = time.time_ns()
    figures = Figures(last_success=now - 300 * SECOND, last_error="no answer", last_error_time=now)
    ((_, verdict, text),) = report(tmp_path, status_of(figures=figures))
    assert (verdict, text.endswith("nothing is taken: no answer")) == ("fail", True)


def test_refusals_removed_records_and_mismatches_are_notes(tmp_path):
    figures = Figures(sent={"metrics": 0}, refused=2, last_refusal="bad name", notes=["run x tracks elsewhere"])
    environ = ENVIRON | {"MLFLOW_TRACKING_URI": "https://ann:secret@other.example.org"}
    lines = report(tmp_path, status_of(figures=figures, removed=7), environ)
    assert [verdict for _, verdict, _ in lines] == ["ok", "note", "note", "note", "note"]
    text = "\n".join(text for *_, text in lines)
    assert "2 entries refused for good, the last: bad name" in text
    assert "7 records were removed" in text
    assert "MLFLOW_TRACKING_URI is https://other.example.org here" in text
    assert "secret" not in text


def test_an_address_that_is_not_absolute_and_a_log_in_memory_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"exporters\.mlflow\.tracking_uri: a relative path"):
        config_of(tmp_path, "sqlite:///mlflow.db")
    with pytest.raises(ConfigError, match="log in memory"):
        config_of(tmp_path, more='[log]\nkind = "memory"\n')


def process_of(**changes):
    return replace(ProcessStats(name="mlflow", pid=7, starts=1, failures=0, last_exit=None, given_up=None), **changes)


def test_the_status_page_is_told_of_addresses_that_differ_and_of_what_does_not_run(tmp_path):
    note = "run iris/r1 tracks at http://elsewhere:5000, the exporter sends to http://127.0.0.1:5000"
    write_exporter_status(tmp_path, status_of(figures=Figures(sent={"metrics": 5}, last_success=1, notes=[note])))
    told = [(one.name, one.verdict, one.text) for one in remark(tmp_path, [process_of()])]
    assert told == [
        ("mlflow", "ok", "http://127.0.0.1:5000: 3 records behind, 5 metrics"),
        ("mlflow", "note", note),
    ]
    ended = remark(tmp_path, [process_of(pid=None, last_exit=1, failures=4)])
    assert (ended[0].verdict, ended[0].text) == ("fail", "ended with 1, 4 times; it is started again")
    assert [one.text for one in remark(tmp_path / "empty", [process_of()])] == ["has written no figures yet"]
    assert remark(tmp_path, []) == []


def test_doctor_says_that_the_daemon_gave_an_exporter_up(tmp_path):
    processes = [process_of(pid=None, last_exit=2, failures=1, given_up="its configuration is wrong")]
    config = config_of(tmp_path)
    (line,) = report_exporters(config, ENVIRON, has_daemon=True, processes=processes)
    assert line == ("mlflow", "fail", "does not run: its configuration is wrong")
    ((_, verdict, _),) = report_exporters(config, ENVIRON, has_daemon=False, processes=processes)
    assert verdict == "note", "without a daemon none is expected to run"
