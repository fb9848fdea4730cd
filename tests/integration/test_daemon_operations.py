"""A daemon that is reloaded, backed up, restored and purged while events come: nothing lost, nothing left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qml_daemon.status import read_status
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

CONFIG = """
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = {below}
[state]
dir = "state"
[http]
listen = "off"
"""


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        self.running: list[subprocess.Popen[str]] = []
        self.configure(0.5)

    def configure(self, below) -> None:
        (self.folder / "c.toml").write_text(CONFIG.format(below=below))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "quantum_mlops", *words, "--config", str(self.folder / "c.toml")]

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command("daemon", *words), stderr=subprocess.PIPE, text=True, env={**self.environ, **environ}
        )
        self.running.append(process)
        assert process.stderr is not None
        self.said = []
        for line in iter(process.stderr.readline, ""):
            self.said.append(line)
            if "READY" in line:
                return process
        raise AssertionError(self.said)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, env=self.environ, timeout=60)

    def stop(self, process: subprocess.Popen[str]) -> str:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=15)
        assert process.returncode == 0
        return stderr

    def emit(self, run: str, *accuracies: float) -> None:
        recorder = Recorder(Settings(spool=str(self.state / "spool"), project="iris"))
        recorder.start()
        for step, accuracy in enumerate(accuracies):
            data = MetricLogged(values={"accuracy": accuracy})
            assert recorder.emit("metric.logged", data, context={"runid": run, "step": step})
        assert recorder.close(5.0)

    def count(self, stream: Stream, short: str = "") -> int:
        reader = SqliteLog.open_reader(self.state / "store.sqlite")
        try:
            records = reader.read(stream, 0, reader.start(stream, 0), 10_000)
            return sum(short in record.event.type for record in records)
        finally:
            reader.close()


@pytest.fixture
def place(tmp_path):
    found = Place(tmp_path)
    yield found
    for process in found.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_reload_puts_new_rules_in_force_in_the_same_process_and_loses_nothing(place):
    daemon = place.start()
    place.emit("a", 0.7)
    wait_for(lambda: place.count(Stream.EVENTS, "metric") == 1, "the first metric")
    assert place.count(Stream.FINDINGS) == 0
    place.configure(0.8)
    place.emit("b", 0.7)
    done = place.run("reload")
    assert (done.returncode, done.stdout) == (0, f"reloaded (pid {daemon.pid})\n"), done.stderr
    assert place.count(Stream.EVENTS, "config.applied") == 2
    configs = [r.event.data.effective for r in _events(place) if "config.applied" in r.event.type]
    wait_for(lambda: time.time_ns() > configs[-1], "the new rules to act")
    place.emit("c", 0.7)
    wait_for(lambda: place.count(Stream.FINDINGS, "finding.opened") == 1, "the finding under the new rules")
    assert place.count(Stream.EVENTS, "metric") == 3
    place.stop(daemon)


def _events(place):
    reader = SqliteLog.open_reader(place.state / "store.sqlite")
    try:
        return list(reader.read(Stream.EVENTS, 0, 0, 10_000))
    finally:
        reader.close()


def _reloads(place):
    """None while the folder is being swapped."""
    status = read_status(place.state / "status.json")
    return None if status is None else status.reloads


def test_a_reload_keeps_the_port_that_was_free(place):
    (place.folder / "c.toml").write_text(CONFIG.format(below=0.5).replace('"off"', '"127.0.0.1:0"'))
    daemon = place.start()
    before = read_status(place.state / "status.json").http
    assert place.run("reload").returncode == 0
    after = read_status(place.state / "status.json")
    assert (after.reloads, after.http) == (1, before)
    place.stop(daemon)


def test_a_wrong_configuration_changes_nothing_and_is_named(place):
    daemon = place.start()
    (place.folder / "c.toml").write_text(CONFIG.format(below=0.5) + '\n[log]\nretention = "soon"\n')
    done = place.run("reload")
    assert done.returncode == 2
    assert "log.retention" in done.stderr
    assert "Traceback" not in done.stderr
    os.kill(daemon.pid, signal.SIGHUP)  # as a person would who did not ask first
    wait_for(lambda: (read_status(place.state / "status.json").reload_fault or "").count("log.retention"), "the fault")
    place.emit("a", 0.1)
    wait_for(lambda: place.count(Stream.FINDINGS, "finding.opened") == 1, "the old rules still act")
    (place.folder / "c.toml").write_text(CONFIG.format(below=0.6))
    done = place.run("reload")
    assert (done.returncode, done.stdout) == (0, f"reloaded (pid {daemon.pid})\n"), done.stderr
    assert "the configuration stays as it was" in place.stop(daemon)


def test_a_backup_of_a_running_daemon_comes_back_while_it_runs(place, tmp_path):
    daemon = place.start()
    place.emit("a", 0.1)
    wait_for(lambda: place.count(Stream.FINDINGS, "finding.opened") == 1, "the finding")
    wait_for(lambda: json.loads(place.run("alerts", "--json").stdout), "the alert")
    made = place.run("backup", str(tmp_path / "backups"), "--json")
    assert made.returncode == 0, made.stderr
    folder = json.loads(made.stdout)["backup"]
    place.emit("b", 0.1)
    wait_for(lambda: place.count(Stream.FINDINGS, "finding.opened") == 2, "the finding after the backup")
    done = place.run("restore", folder, "--yes")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: _reloads(place) == 1, "the daemon's next life")
    assert place.count(Stream.FINDINGS, "finding.opened") == 1
    assert [path.name for path in place.state.glob("before-restore-*/store.sqlite")] == ["store.sqlite"]
    place.emit("a", 0.9)
    wait_for(lambda: place.count(Stream.FINDINGS, "finding.closed") == 1, "the restored finding closes")
    place.stop(daemon)


def test_a_backup_is_put_back_where_no_daemon_runs_and_a_damaged_one_is_refused(place, tmp_path):
    daemon = place.start()
    place.emit("a", 0.9)
    wait_for(lambda: place.count(Stream.EVENTS, "metric") == 1, "the metric")
    place.stop(daemon)
    folder = Path(json.loads(place.run("backup", str(tmp_path / "backups"), "--json").stdout)["backup"])
    store = (folder / "store.sqlite").read_bytes()
    (folder / "store.sqlite").write_bytes(store[:-1] + bytes([store[-1] ^ 1]))
    done = place.run("restore", str(folder), "--yes")
    assert done.returncode == 2
    assert "damaged" in done.stderr
    (folder / "store.sqlite").write_bytes(store)
    (place.state / "store.sqlite").unlink()
    assert place.run("restore", str(folder), "--yes").returncode == 0
    assert place.count(Stream.EVENTS, "metric") == 1
    (folder / "manifest.json").unlink()
    assert "no backup" in place.run("restore", str(folder), "--yes").stderr


def test_purge_leaves_nothing_but_the_configuration_and_what_is_not_ours(place):
    daemon = place.start()
    place.emit("a", 0.9)
    wait_for(lambda: place.count(Stream.EVENTS, "metric") == 1, "the metric")
    refused = place.run("purge", "--yes")
    assert refused.returncode == 2
    assert f"pid {daemon.pid}" in refused.stderr
    place.stop(daemon)
    (place.state / "notes.txt").write_text("mine")
    said = json.loads(place.run("purge", "--dry-run", "--json").stdout)
    assert {Path(one["path"]).name for one in said["files"]} >= {"store.sqlite", "outbox.sqlite", "status.json"}
    assert (place.state / "store.sqlite").is_file()
    assert place.run("purge", "--yes").returncode == 0
    assert sorted(path.name for path in place.folder.rglob("*")) == ["c.toml", "notes.txt", "state"]
    (place.state / "notes.txt").unlink()
    assert place.run("purge", "--yes").returncode == 0


def test_systemd_hears_of_the_start_of_a_turning_loop_of_a_reload_and_of_the_stop(place, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        heard = []

        def hear_until(state):
            while state not in heard:
                heard.append(listener.recv(4096).decode().split("\n")[0])

        daemon = place.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        hear_until("READY=1")
        heard.clear()
        hear_until("WATCHDOG=1")
        daemon.send_signal(signal.SIGHUP)
        hear_until("RELOADING=1")
        heard.clear()
        hear_until("READY=1")
        daemon.send_signal(signal.SIGTERM)
        hear_until("STOPPING=1")
        daemon.communicate(timeout=15)


def test_the_log_is_one_json_object_a_line_if_asked(place):
    daemon = place.start("--log-format", "json")
    (place.folder / "c.toml").write_text("[log\n")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: read_status(place.state / "status.json").reload_fault is not None, "the fault")
    lines = [json.loads(line) for line in place.stop(daemon).splitlines()]
    assert [line["level"] for line in lines] == ["error", "info"]
    assert lines[-1]["message"] == "quantum-mlops stopped"
