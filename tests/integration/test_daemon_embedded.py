"""The daemon as a process: from the spool to a webhook, clean restarts, users' mistakes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from qml_daemon.status import read_status
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from tests.waiting import wait_for

CONFIG = """
[receivers.team]
slack = { url_file = "url", timeout = "500ms" }
[route]
receiver = "team"
group_by = ["run"]
group_wait = "0s"
group_interval = "1s"
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
[http]
listen = "127.0.0.1:0"
[state]
dir = "state"
"""


class Webhook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.texts: list[str] = []
        self.status = 200
        self.faults: list[str] = []
        self.release = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "hang":
            self.server.release.wait(20)
        if fault in ("hang", "close"):
            self.close_connection = True
            return
        if fault == "429":
            self.send_response(429)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.status == 200:
            self.server.texts.append(text)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


class Place:
    """A folder with a configuration, a webhook, and the commands run on them."""

    def __init__(self, folder: Path, webhook: Webhook) -> None:
        self.folder = folder
        self.webhook = webhook
        self.running: list[subprocess.Popen[str]] = []
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        (folder / "url").write_text(f"http://127.0.0.1:{webhook.server_address[1]}/secret")
        (folder / "c.toml").write_text(CONFIG)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "quantum_mlops", *arguments, "--config", str(self.folder / "c.toml")]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, env=self.environ, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(self.command("daemon"), stderr=subprocess.PIPE, text=True, env=self.environ)
        self.running.append(process)
        assert process.stderr is not None
        assert any("READY" in line for line in iter(process.stderr.readline, ""))
        return process

    def stop(self, process: subprocess.Popen[str], number: int = signal.SIGTERM, seconds: float = 6) -> None:
        began = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=15)
        assert process.returncode == 0
        assert stderr.endswith("quantum-mlops stopped\n")
        assert time.monotonic() - began < seconds

    def emit(self, run: str, *accuracies: float) -> None:
        recorder = Recorder(Settings(spool=str(self.folder / "state" / "spool"), project="iris"))
        recorder.start()
        for step, accuracy in enumerate(accuracies):
            data = MetricLogged(values={"accuracy": accuracy})
            assert recorder.emit("metric.logged", data, context={"runid": run, "step": step})
        assert recorder.close(5.0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Webhook() as webhook:
        thread = threading.Thread(target=webhook.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        found = Place(tmp_path, webhook)
        yield found
        for process in found.running:
            if process.poll() is None:
                process.kill()
            process.communicate()
        webhook.release.set()
        webhook.shutdown()
        thread.join()


def test_a_finding_is_told_when_it_opens_and_when_it_closes_and_a_restart_tells_nothing_again(place: Place) -> None:
    daemon = place.start()
    place.emit("a", 0.9, 0.4)
    wait_for(lambda: len(place.webhook.texts) == 1, "the firing message")
    place.stop(daemon)
    daemon = place.start()
    place.emit("a", 0.9)
    wait_for(lambda: len(place.webhook.texts) == 2, "the resolved message")
    place.stop(daemon, signal.SIGINT)
    place.stop(place.start())
    assert [text.split("]")[0] for text in place.webhook.texts] == ["[FIRING", "[RESOLVED"]

    code, stdout, _ = place.run("alerts", "--json")
    (alert,) = json.loads(stdout)["alerts"]
    assert (code, alert["status"], alert["rule"]) == (0, "resolved", "Low/below")
    code, stdout, _ = place.run("alerts", "show", alert["finding_id"][:6])
    assert code == 0
    assert stdout.count("team (slack) sent at") == 2
    code, stdout, _ = place.run("replay")
    assert code == 0
    assert stdout.splitlines()[-1].startswith("identical: 2 of 2 ")
    assert len(place.webhook.texts) == 2
    code, stdout, _ = place.run("tail", "findings", "--json")
    assert [json.loads(line)["type"] for line in stdout.splitlines()] == [
        "quantum_mlops.finding.opened.v1",
        "quantum_mlops.finding.closed.v1",
    ]
    code, stdout, _ = place.run("doctor")
    assert code == 0
    assert "2 findings" in stdout
    assert "0 failed since" in stdout


def test_what_slack_did_not_take_is_sent_after_a_restart(place: Place) -> None:
    place.webhook.status = 500
    daemon = place.start()
    place.emit("a", 0.4)
    status = place.folder / "state" / "status.json"
    wait_for(lambda: (found := read_status(status)) is not None and found.dispatcher.outbox.waiting, "a waiting one")
    place.stop(daemon)
    code, stdout, _ = place.run("alerts")
    assert code == 0
    assert "1 notifications to team (slack) waiting; last error: 500: " in stdout
    place.webhook.status = 200
    daemon = place.start()
    wait_for(lambda: len(place.webhook.texts) == 1, "the message")
    place.stop(daemon)


def test_a_message_gets_through_a_receiver_that_limits_hangs_and_closes_exactly_once(place: Place) -> None:
    place.webhook.faults = ["429", "hang", "close"]
    daemon = place.start()
    place.emit("a", 0.4)
    wait_for(lambda: place.webhook.texts, "the message")
    place.stop(daemon)
    assert place.webhook.faults == []
    place.stop(place.start())
    assert len(place.webhook.texts) == 1


def test_a_receiver_that_hangs_does_not_hold_up_the_end_and_the_message_comes_after_it(place: Place) -> None:
    (place.folder / "c.toml").write_text(CONFIG.replace("500ms", "60s"))
    place.webhook.faults = ["hang"]
    daemon = place.start()
    place.emit("a", 0.4)
    wait_for(lambda: not place.webhook.faults, "the request that hangs")
    place.stop(daemon, seconds=8)
    daemon = place.start()
    wait_for(lambda: len(place.webhook.texts) == 1, "the message")
    place.stop(daemon)


def test_a_refused_webhook_is_shown(place: Place) -> None:
    place.webhook.status = 404
    code, stdout, stderr = place.run("receivers", "test")
    assert (code, stdout, stderr) == (1, "team (slack): failed: 404: Not Found\n", "")
    daemon = place.start()
    place.emit("a", 0.4)
    wait_for(lambda: "given up" in place.run("alerts")[1] or "failed" in place.run("alerts")[1], "the failure")
    place.stop(daemon)
    assert "1 notifications to team (slack) failed; last error: 404: Not Found" in place.run("alerts")[1]


def test_receivers_test_sends_one_message(place: Place) -> None:
    assert place.run("receivers", "test", "team") == (0, "team (slack): ok\n", "")
    (text,) = place.webhook.texts
    assert text == "[NOTICE] ReceiverTest: Test of receiver team: nothing happened"


def test_a_second_daemon_on_one_log_is_refused_in_one_line(place: Place) -> None:
    daemon = place.start()
    code, stdout, stderr = place.run("daemon")
    assert (code, stdout) == (2, "")
    assert stderr.startswith(
        f"quantum-mlops: {place.folder}/state/store.sqlite: another process (pid {daemon.pid}) writes this log"
    )
    assert len(stderr.splitlines()) == 1
    place.stop(daemon)


def test_systemd_is_told_ready_and_stopping(place: Place, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        place.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        daemon = place.start()
        assert listener.recv(100) == b"READY=1"
        place.stop(daemon)
        assert listener.recv(100) == b"STOPPING=1"


def test_an_idle_daemon_needs_little_cpu(place: Place) -> None:
    daemon = place.start()
    place.emit("a", 0.9)
    clock = os.sysconf("SC_CLK_TCK")

    def cpu_seconds() -> float:
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / clock

    began, used = time.monotonic(), cpu_seconds()
    wait_for(lambda: time.monotonic() - began > 4, "four seconds")
    assert (cpu_seconds() - used) / (time.monotonic() - began) < 0.1
    place.stop(daemon)


def test_a_wrong_configuration_is_one_line_and_exit_code_2(place: Place) -> None:
    with (place.folder / "c.toml").open("a") as file:
        file.write("[route2]\nx = 1\n")
    for command in (["daemon"], ["config", "check"], ["alerts"], ["doctor"]):
        code, stdout, stderr = place.run(*command)
        assert code == 2
        expected = f"{place.folder}/c.toml: route2: unknown key; did you mean route?"
        assert expected in (stdout if command == ["doctor"] else stderr)
        assert "Traceback" not in stderr
