"""`quantum-mlops ship`: its exit codes, whose segments it takes, and the wall to daemons."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from qml_daemon.cli import main
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.claim import SpoolClaim
from quantum_mlops.transports.memory import MemoryLog
from tests.service import Answer


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def ship(spool, service, capfd, monkeypatch):
    for name in ("QML_TARGET", "QML_TOKEN", "QML_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        code = main(["ship", "--once", "--spool", str(spool), "--target", service.url, *arguments])
        captured = capfd.readouterr()
        assert captured.out == ""
        return code, captured.err

    return run


@pytest.fixture
def record(spool):
    """Record as a program does that is over: 20 metrics in a plain spool."""

    def run(close=True):
        recorder = Recorder(Settings(spool=str(spool), project="iris"))
        for value in range(20):
            recorder.log_metrics({"a": value})
        assert recorder.flush(10)
        if close:
            recorder.close()
        return recorder

    return run


def twenty():
    return [float(number) for number in range(20)]


def test_a_spool_is_shipped_and_removed(ship, record, service, spool):
    record()
    code, stderr = ship()
    assert code == 0
    assert service.values("a") == twenty()
    assert list(spool.glob("*.qseg")) == []
    assert stderr.splitlines()[-1] == "quantum-mlops ship: 22 events sent, 0 rejected, 2 segments done"


def test_what_a_living_writer_has_so_far_is_sent_and_its_segments_stay(ship, record, service, spool):
    recorder = record(close=False)
    assert ship()[0] == 0
    assert service.values("a") == twenty()
    assert len(list(spool.glob("*.qseg"))) == 2
    assert ship()[0] == 0
    assert set(service.copies.values()) == {1}
    recorder.close()
    assert ship()[0] == 0
    assert list(spool.glob("*.qseg")) == []
    assert set(service.copies.values()) == {1}


def test_an_empty_spool_is_done_at_once(ship, spool):
    spool.mkdir()
    assert ship() == (0, ship()[1])


def test_a_service_that_stays_away_is_exit_code_1_and_all_is_kept(ship, record, service, spool):
    record()
    service.stop()
    code, stderr = ship("--give-up-after", "0.5")
    assert code == 1
    assert "KiB left (cannot be reached: Connection refused)" in stderr
    assert len(list(spool.glob("*.qseg"))) == 2


def test_a_service_that_comes_back_is_waited_for(ship, record, service):
    record()
    service.stop()
    threading.Timer(0.7, service.start).start()
    code, stderr = ship("--give-up-after", "30")
    assert code == 0
    assert "trying again" in stderr
    assert "takes events again" in stderr
    assert service.values("a") == twenty()


@pytest.mark.parametrize("status", [401, 404])
def test_what_waiting_does_not_mend_is_exit_code_2(ship, record, service, spool, status):
    record()
    service.otherwise = Answer(status, "no")
    code, stderr = ship()
    assert code == 2
    assert f"quantum-mlops: {service.url} answered {status} (no): " in stderr
    assert len(list(spool.glob("*.qseg"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["ship"],
            "ship needs the address of a service: --target https://host, kafka://host:9092 or mqtts://host, or QML_TARGET",
        ),
        (
            ["ship", "--target", "spool:"],
            "ship needs the address of a service: --target https://host, kafka://host:9092 or mqtts://host, or QML_TARGET",
        ),
        (["ship", "--target", "https://a:b@h", "--spool", "/"], "a secret does not belong into an address"),
        (["ship", "--target", "https://h", "--spool", "/no/such"], "/no/such: no such folder"),
    ],
)
def test_a_wrong_option_is_one_line(capsys, monkeypatch, arguments, message):
    monkeypatch.delenv("QML_TARGET", raising=False)
    assert main(arguments) == 2
    stderr = capsys.readouterr().err
    assert len(stderr.splitlines()) == 1
    assert message in stderr


def test_a_spool_that_a_daemon_reads_is_refused_and_the_daemon_gets_everything(ship, record, spool, service):
    record()
    log = MemoryLog()
    intake = Intake(log, spool, time.time_ns, this_host())
    intake.poll(1)
    code, stderr = ship()
    assert code == 2
    assert f"{spool}: a daemon, or another quantum-mlops ship, reads this spool already" in stderr
    assert service.requests == []
    while intake.poll(500):
        pass
    assert intake.stats().events == 22
    intake.close()


def test_a_daemon_leaves_a_spool_alone_while_it_is_shipped_and_takes_over_then(record, spool):
    record()
    claim = SpoolClaim(spool)
    assert claim.hold()
    intake = Intake(MemoryLog(), spool, time.time_ns, this_host())
    assert intake.poll(500) == 0
    assert intake.stats().fault == f"{spool}: another daemon, or quantum-mlops ship, reads this spool"
    claim.release()
    assert intake.poll(500) == 22
    assert intake.stats().fault is None
    intake.close()


def test_a_claim_follows_a_folder_that_is_made_anew(spool):
    claim, other = SpoolClaim(spool), SpoolClaim(spool)
    assert claim.hold()  # nobody's yet
    spool.mkdir()
    assert claim.hold()
    assert not other.hold()
    spool.rename(spool.with_name("old"))
    spool.mkdir()
    assert other.hold()
    assert not claim.hold()
    other.release()
    assert claim.hold()
    claim.release()


def test_what_is_shipped_elsewhere_is_no_matter_of_the_daemons(record, spool):
    record()
    (spool / ".to-monitor-443-abc").mkdir()
    (spool / ".shipping").mkdir()
    log = MemoryLog()
    intake = Intake(log, spool, time.time_ns, this_host())
    intake.poll(500)
    assert (intake.stats().foreign, intake.stats().dead_letters) == (0, 0)
    intake.close()


def test_it_goes_on_until_sigterm_and_sends_what_came_last(record, spool, service, wait_for):
    record()
    command = [sys.executable, "-m", "quantum_mlops", "ship", "--spool", str(spool), "--target", service.url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}) as sidecar:
        wait_for(lambda: len(service.events) == 22)
        record()
        wait_for(lambda: len(service.events) == 44)
        record()
        sidecar.send_signal(signal.SIGTERM)
        _, stderr = sidecar.communicate(timeout=20)
    assert sidecar.returncode == 0
    assert len(service.events) == 66
    assert "66 events sent, 0 rejected, 6 segments done" in stderr
    assert list(spool.glob("*.qseg")) == []
