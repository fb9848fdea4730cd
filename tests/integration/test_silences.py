"""Silences by the command line against a real daemon: quiet while they last, told afterwards."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qml_daemon.firing import read_alerts
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

CONFIG = """
[receivers.team]
slack = { url_file = "url" }
[route]
receiver = "team"
group_wait = "0s"
group_interval = "1s"
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
[state]
dir = "state"
[http]
listen = "127.0.0.1:0"
"""


class Webhook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.texts = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Place:
    def __init__(self, folder, webhook):
        self.folder, self.webhook = folder, webhook
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        (folder / "url").write_text(f"http://127.0.0.1:{webhook.server_address[1]}/secret")
        (folder / "c.toml").write_text(CONFIG)
        self.process = subprocess.Popen(self.command("daemon"), stderr=subprocess.PIPE, text=True, env=self.environ)
        assert any("READY" in line for line in iter(self.process.stderr.readline, ""))

    def command(self, *words):
        return [sys.executable, "-m", "quantum_mlops", *words, "--config", str(self.folder / "c.toml")]

    def run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, env=self.environ, timeout=60)

    def emit(self, run, accuracy):
        recorder = Recorder(Settings(spool=str(self.folder / "state" / "spool"), project="iris"))
        recorder.start()
        assert recorder.emit("metric.logged", MetricLogged(values={"accuracy": accuracy}), context={"runid": run})
        assert recorder.close(5.0)

    def types(self, stream):
        reader = SqliteLog.open_reader(self.folder / "state" / "store.sqlite")
        try:
            return [record.event.type for record in reader.read(stream, 0, 0, 10_000)]
        finally:
            reader.close()


@pytest.fixture
def place(tmp_path):
    with Webhook() as webhook:
        thread = threading.Thread(target=webhook.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        found = Place(tmp_path, webhook)
        yield found
        found.process.send_signal(signal.SIGTERM)
        found.process.communicate(timeout=15)
        webhook.shutdown()
        thread.join()


def test_a_silenced_alert_is_told_once_its_silence_is_ended(place):
    added = place.run("silence", "add", 'rule="Low/below"', 'run="a"', "--for", "1h", "--comment", "known", "--json")
    assert added.returncode == 0, added.stderr
    silence = json.loads(added.stdout)
    assert silence["state"] == "active"
    place.emit("a", 0.1)
    place.emit("b", 0.1)
    wait_for(lambda: len(place.webhook.texts) == 1, "the alert of the other run")
    assert "run b" in place.webhook.texts[0]
    listed = place.run("silence", "list")
    assert silence["id"] in listed.stdout
    assert ": known" in listed.stdout
    assert place.run("silence", "expire", silence["id"]).returncode == 0
    wait_for(lambda: len(place.webhook.texts) == 2, "the alert that was quiet")
    assert place.webhook.texts[1].startswith("[FIRING:2]")
    kinds = [name.split(".", 1)[1] for name in place.types(Stream.EVENTS) if "silence" in name]
    assert kinds == ["silence.created.v1", "silence.expired.v1"]
    assert "0 silences" in place.run("silence", "list").stdout


def test_a_silence_says_what_it_takes_and_an_alert_names_the_silence_that_takes_it_alone(place):
    assert "no alert fires now" in place.run("silence", "add", 'rule="Low/below"', 'run="none"').stdout
    place.emit("a", 0.1)
    place.emit("b", 0.1)
    wait_for(lambda: len(read_alerts(place.folder / "state" / "outbox.sqlite")) == 2, "both alerts")
    missed = place.run("silence", "add", 'rule="Low"').stdout
    assert "note: it takes none of the 2 alerts that fire now (Low/below)" in missed
    first = json.loads(place.run("alerts", "--json").stdout)["alerts"][0]["finding_id"]
    shown = place.run("alerts", "show", first).stdout
    (command,) = [line for line in shown.splitlines() if line.startswith("make it quiet: ")]
    words = shlex.split(command.removeprefix("make it quiet: "))
    assert words[:3] == ["quantum-mlops", "silence", "add"]
    assert "it takes 1 of the 2 alerts that fire now" in place.run(*words[1:]).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "nonsense"), "no matcher"),
        (("add", 'rule=~".*"'), "names what it is for"),
        (("add", 'rule="Low"', "--for", "0s"), "ends after it starts"),
        (("add", 'rule="Low"', "--for", "soon"), "duration"),
        (("expire", "nobody"), "no silence is called nobody"),
    ],
)
def test_a_mistake_is_one_line_with_its_mend(place, words, said):
    done = place.run("silence", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_daemon_it_says_so(tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "url").write_text("http://127.0.0.1:9/x")
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
    command = [sys.executable, "-m", "quantum_mlops", "silence", "list", "--config", str(tmp_path / "c.toml")]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
    assert done.returncode == 2
    assert "no daemon" in done.stderr
