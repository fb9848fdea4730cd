"""Trainers, `emit` and `ship` over a real mosquitto to a real daemon; broker and daemon are killed in between."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import pytest

from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.mosquitto import DAEMON, PASSWORDS, Mosquitto
from tests.waiting import wait_for

pytestmark = pytest.mark.system_tool("mosquitto")

TRAINER = """
import os, sys, time
import quantum_mlops as q
q.autolog()
with q.run("x"):
    for value in range(1200):
        q.log_metrics({"a": value})
        time.sleep(0.002)
    child = os.fork()
    if not child:
        q.log_metrics({"b": 1.0})
        os._exit(0 if q.flush(20) else 1)
    assert os.waitpid(child, 0)[1] == 0
    print("trained", flush=True)
    sys.stdin.readline()
"""


class Monitor:
    """One daemon after another on the same state, with a bridge to the broker."""

    def __init__(self, folder, mosquitto):
        self.folder = folder
        self.mosquitto = mosquitto
        folder.mkdir()
        (folder / "password").write_text(PASSWORDS[DAEMON] + "\n")
        (folder / "password").chmod(0o600)
        (folder / "quantum-mlops.toml").write_text(
            '[state]\ndir = "state"\n[http]\nlisten = "127.0.0.1:0"\n'
            f'[mqtt]\nurl = "{mosquitto.tls_url}"\nuser = "{DAEMON}"\npassword_file = "password"\n'
            f'ca_file = "{mosquitto.ca_file}"\n'
        )
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.process = None
        self.url = ""

    def start(self):
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(self.folder / "quantum-mlops.toml")]
        self.process = subprocess.Popen(command, env=self.environ, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"\bREADY\b.* http=(\S+)", line):
                self.url = found[1]
                return
        pytest.fail("the daemon ended before it was ready")

    def wait_until_connected(self):
        wait_for(lambda: "qml_mqtt_connected 1.0" in self.ask("/metrics"), "events come from the broker")

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own
            return answer.read().decode()

    def end(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            _, said = self.process.communicate(timeout=30)
            self.process = None
            return said
        return ""

    def events(self):
        """Return how often the log has each of the emitters' events, and the values of the metric a."""
        reader = SqliteLog.open_reader(self.folder / "state" / "store.sqlite")
        try:
            events = [
                record.event for partition in range(reader.partitions)
                for record in reader.read(Stream.EVENTS, partition, 0, 1_000_000)
            ]  # fmt: skip
        finally:
            reader.close()
        sent = [
            one for one in events if one.source.startswith("qml://") and one.type.split(".")[1] in ("metric", "run")
        ]
        assert {(one.project, one.partitionkey) for one in sent} <= {("iris", "iris")}
        found = Counter(
            name for one in {one.key: one for one in sent}.values() for name in getattr(one.data, "values", {})
        )
        return Counter(one.key for one in sent), {
            value for one in sent for name, value in getattr(one.data, "values", {}).items() if name == "a"
        }, found  # fmt: skip


@pytest.fixture
def broker(tmp_path):
    broker = Mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.end()


@pytest.fixture
def monitor(tmp_path, broker):
    monitor = Monitor(tmp_path / "monitor", broker)
    yield monitor
    monitor.end()


@pytest.fixture
def environ(tmp_path, broker):
    (tmp_path / "password").write_text(PASSWORDS["iris"])
    (tmp_path / "password").chmod(0o600)
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "QML_STATE_DIR": str(tmp_path / "node"), "QML_PROJECT": "iris",
        "QML_TARGET": broker.url, "QML_MQTT_USER": "iris", "QML_MQTT_PASSWORD_FILE": str(tmp_path / "password"),
        "QML_FLUSH_SECONDS": "20",
    }  # fmt: skip


def command(environ, *arguments, stdin=None):
    words = [sys.executable, "-m", "quantum_mlops", *map(str, arguments)]
    return subprocess.run(words, env=environ, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_broker_and_daemon_are_killed_while_a_trainer_publishes_and_every_event_is_in_the_log(
    tmp_path, broker, monitor, environ
):
    broker.start()
    monitor.start()
    monitor.wait_until_connected()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TRAINER], env=environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as trainer:  # fmt: skip
        wait_for(lambda: len(monitor.events()[1]) > 200, "events arrive")
        broker.kill()
        broker.start()
        reached = len(monitor.events()[1])
        wait_for(lambda: len(monitor.events()[1]) >= min(reached + 100, 1200), "events arrive again")
        monitor.end(signal.SIGKILL)
        monitor.start()
        assert trainer.stdout.readline() == "trained\n"
        _, stderr = trainer.communicate("\n", timeout=60)
    assert trainer.returncode == 0, stderr
    assert "KiB of events are not at" not in stderr
    assert PASSWORDS["iris"] not in stderr
    wait_for(lambda: len(monitor.events()[0]) == 1203, "every event is in the log")
    _, values, found = monitor.events()
    assert values == {float(number) for number in range(1200)}
    assert found["b"] == 1
    said = monitor.end()
    assert PASSWORDS[DAEMON] not in said
    status = json.loads((monitor.folder / "state" / "status.json").read_bytes())
    assert status["mqtt"]["rejected"] == {}
    letters = command(
        monitor.environ, "dead-letters", "list", "--config", monitor.folder / "quantum-mlops.toml", "--json"
    )
    assert json.loads(letters.stdout)["total"] == 0


def test_hours_without_a_broker_cost_nothing_and_are_caught_up_with(tmp_path, broker, monitor, environ):
    begin = time.time_ns() // 10**9 - 6 * 3600
    lines = "".join(
        json.dumps({"type": "metric.logged", "data": {"values": {"a": number}}, "time": _utc(begin + number * 14)})
        + "\n"
        for number in range(1500)
    )
    done = command(environ | {"QML_FLUSH_SECONDS": "0.3"}, "emit", "--run", "r1", stdin=lines)
    assert done.returncode == 1
    assert "cannot be reached: Connection refused; what is recorded is kept and sent later" in done.stderr
    monitor.start()  # without a broker it is ready all the same
    assert monitor.ask("/-/ready") == "ready\n"
    assert "qml_mqtt_connected 0.0" in monitor.ask("/metrics")
    broker.start()
    monitor.wait_until_connected()
    done = command(environ, "ship", "--once")
    assert done.returncode == 0, done.stderr
    assert "1500 events sent, 0 rejected" in done.stderr
    wait_for(lambda: len(monitor.events()[0]) == 1500, "all of it is in the log")
    copies, values, _ = monitor.events()
    assert set(copies.values()) == {1}
    assert len(values) == 1500
    said = json.loads(
        command(monitor.environ, "doctor", "--json", "--config", monitor.folder / "quantum-mlops.toml").stdout
    )
    (line,) = [one for one in said if one["name"] == "mqtt"]
    assert line["text"].startswith(broker.tls_url)


def _utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_a_wrong_password_is_one_line_without_it_and_the_events_stay(tmp_path, broker, environ):
    broker.start()
    (tmp_path / "password").write_text("hunter2-and-more")
    line = '{"type": "metric.logged", "data": {"values": {"a": 7}}}\n'
    done = command(environ, "emit", "--run", "r1", stdin=line)
    assert done.returncode == 1
    assert done.stderr.count("refuses the user or the password: check QML_MQTT_USER and QML_MQTT_PASSWORD_FILE") == 2
    assert "hunter2" not in done.stderr
    done = command(environ, "ship", "--once")
    assert done.returncode == 2
    assert "refuses the user or the password" in done.stderr
    assert list((tmp_path / "node").rglob("*.qseg"))
