"""The recorder with a service as target: what it costs the host, and what it does where nothing can be sent."""

import random
import subprocess
import sys
import threading

import pytest

from quantum_mlops.sdk.notice import Notices
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.sdk.shipping import Outbound
from quantum_mlops.spool.reader import read_folder


@pytest.fixture
def settings(tmp_path, service):
    return Settings(spool=str(tmp_path / "spool"), project="iris", target=service.url, flush_seconds=10.0)


def test_what_a_recorder_takes_is_at_the_service_after_flush(settings, service):
    recorder = Recorder(settings)
    for value in range(300):
        recorder.log_metrics({"a": value})
    assert recorder.flush(20)
    assert service.values("a") == [float(value) for value in range(300)]
    stats = recorder.stats()
    assert (stats.target, stats.acknowledged, stats.rejected, stats.trouble) == (service.url, stats.written, 0, None)
    assert recorder.close()
    assert read_folder(settings.spool) == []


def test_rejected_events_are_in_the_stats_and_hold_nothing_up(settings, service, capfd):
    service.refuse = lambda event: "no odd ones" if getattr(event.data, "values", {}).get("a", 0) % 2 else None
    recorder = Recorder(settings)
    for value in range(10):
        recorder.log_metrics({"a": value})
    assert recorder.flush(20)
    assert recorder.stats().rejected == 5
    recorder.close()
    assert service.values("a") == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert "events rejected (no odd ones), kept in" in capfd.readouterr().err


def test_flush_comes_back_at_its_deadline_and_the_trouble_is_named(settings, service, capfd):
    service.stop()
    recorder = Recorder(Settings(spool=settings.spool, target=settings.target, flush_seconds=0.0))
    recorder.log_metrics({"a": 1})
    assert not recorder.flush(0.3)
    assert recorder.stats().trouble == "cannot be reached: Connection refused"
    recorder.close()
    said = capfd.readouterr().err
    assert said.count("cannot be reached") == 2  # when it began, and at the end
    assert "KiB of events are not at" in said


def test_a_service_that_is_away_leaves_the_hosts_random_numbers_as_they_were(settings, service):
    service.stop()
    random.seed(7)
    before = random.getstate()
    recorder = Recorder(Settings(spool=settings.spool, target=settings.target, flush_seconds=0.0))
    recorder.log_metrics({"a": 1})
    assert not recorder.flush(1.0)
    assert recorder.stats().trouble is not None
    recorder.close()
    assert random.getstate() == before


def test_no_thread_for_the_shipper_leaves_the_spool_to_others(settings, monkeypatch, capfd):
    recorder = Recorder(settings)
    start = threading.Thread.start

    def refuse(thread):
        if "shipper" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert recorder.log_metrics({"a": 1})
    assert not recorder.flush(5)
    recorder.close()
    assert "nothing is sent to" in capfd.readouterr().err
    assert len(read_folder(settings.spool)) > 0


def test_a_folder_that_cannot_be_made_is_said_and_the_program_goes_on(tmp_path, service, capfd):
    (tmp_path / "file").write_text("x")
    recorder = Recorder(Settings(spool=str(tmp_path / "file" / "spool"), target=service.url, flush_seconds=0.1))
    assert recorder.log_metrics({"a": 1})
    recorder.close()
    assert "nothing is sent to" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("target", "warned"),
    [("http://monitor.invalid:1", True), ("https://monitor.invalid", False), ("http://localhost:1", False)],
)
def test_a_token_on_an_open_wire_is_said(tmp_path, monkeypatch, capfd, target, warned):
    monkeypatch.setenv("QML_TOKEN", "hunter2")
    settings = Settings(spool=str(tmp_path / "spool"), target=target, flush_seconds=0.0)
    Outbound(settings, "0123456789ab", Notices()).finish(ended=True)
    said = capfd.readouterr().err
    assert ("travels unencrypted" in said) is warned
    assert "hunter2" not in said


def test_http_is_loaded_only_for_a_service(tmp_path):
    code = (
        "import sys, quantum_mlops as q; from quantum_mlops.sdk.default import recorder; recorder.destination.choose(None, sys.argv[1]);"
        "q.log_metrics({'a': 1}); print('http.client' in sys.modules, 'quantum_mlops.shipping' in sys.modules)"
    )
    loaded = {
        target: subprocess.run(
            [sys.executable, "-c", code, target], capture_output=True, text=True, check=True, timeout=60,
            env={"QML_STATE_DIR": str(tmp_path), "QML_FLUSH_SECONDS": "0"},
        ).stdout
        for target in ("spool:", "http://127.0.0.1:1")
    }  # fmt: skip
    assert loaded == {"spool:": "False False\n", "http://127.0.0.1:1": "True True\n"}
