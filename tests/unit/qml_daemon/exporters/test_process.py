"""The daemon's side of an exporter, with a small program in its place."""

import sys
import time

import pytest

from qml_daemon.exporters.process import ExporterProcess


class Now:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make():
    made = []

    def build(code: str, now: Now | None = None) -> ExporterProcess:
        process = ExporterProcess("mlflow", None, now or Now())
        process._command = [sys.executable, "-c", code]
        made.append(process)
        return process

    yield build
    for process in made:
        process.close()


def ended(process: ExporterProcess, failures: int) -> None:
    deadline = time.monotonic() + 20
    while process.stats().failures < failures:
        assert time.monotonic() < deadline
        process.step()
        time.sleep(0.01)


def test_it_is_started_again_later_and_later_and_said_once(make, caplog):
    now = Now()
    process = make("raise SystemExit(1)", now)
    pauses = []
    for failure in range(1, 9):
        ended(process, failure)
        before = now.now
        while process.stats().starts == failure:
            now.now += 0.5
            process.step()
        pauses.append(now.now - before)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert [record.message.split(";")[0] for record in caplog.records] == ["exporter mlflow ended with 1"]


def test_a_mistake_in_the_configuration_is_not_tried_again(make, caplog):
    now = Now()
    process = make("raise SystemExit(2)", now)
    ended(process, 1)
    now.now += 1000
    process.step()
    assert process.stats().starts == 1
    assert "configuration is wrong" in process.stats().given_up
    assert len(caplog.records) == 1


def test_a_program_that_cannot_be_started_is_a_failure_like_others(make):
    process = make("")
    process._command = ["/nonexistent/python"]
    process.step()
    assert (process.stats().failures, process.stats().pid) == (1, None)


def test_one_that_does_not_stop_is_killed_in_time(make, tmp_path):
    deaf = tmp_path / "deaf"
    code = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(deaf)!r}, 'w'); time.sleep(60)"
    )
    process = make(code)
    process.step()
    deadline = time.monotonic() + 20
    while not deaf.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    process.begin_stop()
    process.close(0.2)
    assert time.monotonic() - began < 5
    process.step()
    assert process.stats().pid is None
    assert process.stats().starts == 1


def test_it_runs_our_module_and_nothing_secret_is_on_its_command_line():
    command = ExporterProcess("mlflow", None)._command
    assert command[1:] == ["-P", "-m", "qml_daemon.exporters", "mlflow", "--attached"]
