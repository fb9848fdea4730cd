"""The Alertmanager notifier against a real Alertmanager, read back by its API and by amtool.

These tests fail where Debian's package `prometheus-alertmanager` is missing.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import datetime

import httpx
import pytest

from qml_daemon.alert import Alert
from qml_daemon.notification import Notification
from qml_daemon.notifiers.alertmanager import AlertmanagerNotifier, AlertmanagerSettings
from qml_daemon.notifiers.trial import trial_notification
from quantum_mlops.clock import HOUR, SECOND, ManualClock, system_clock
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from tests.waiting import wait_for


def tool(name):
    found = shutil.which(name)
    assert found, f"{name} is missing: apt-get install prometheus-alertmanager"
    return found


class Alertmanager:
    """A real one on a free port; started again it has forgotten every alert."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{found.getsockname()[1]}"
        self.url = f"http://{self.place}"
        (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.log = (folder / "alertmanager.log").open("w")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [
                tool("prometheus-alertmanager"), f"--config.file={self.folder / 'alertmanager.yml'}",
                f"--storage.path={self.folder / 'data'}", f"--web.listen-address={self.place}", "--cluster.listen-address=",
            ],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self.is_ready():
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.05)

    def is_ready(self):
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def active(self):
        found = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False).json()
        return {(one["labels"]["alertname"], one["labels"]["severity"]): one for one in found}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Alertmanager(tmp_path_factory.mktemp("alertmanager"))
    yield server
    server.stop()
    server.log.close()


@pytest.fixture
def clock():
    return ManualClock(system_clock())


@pytest.fixture
def notifier(server, clock):
    found = AlertmanagerNotifier(AlertmanagerSettings(url=server.url, expires="3h"), clock)
    yield found
    found.close()


def tell(notifier, clock, rule, status="firing", **fields):
    known = {
        "key": rule, "fingerprint": rule, "finding_id": "0102", "status": status, "rule": rule, "severity": "warning",
        "starts": clock.now - 60 * SECOND, "updated": clock.now, "labels": {"rule": rule, "backend": "ibm_hanoi", "run-id": "r1"},
        "annotations": {"summary": "moved by 0.087 “Hellinger”"}, "values": {"hellinger": 0.0871234567},
    }  # fmt: skip
    if status == "resolved":
        known["ends"] = clock.now
    alert = Alert(**(known | fields))
    notifier.send([Notification(id="n", group="g", receiver="am", reason="r", time=clock.now, alerts=[alert])])


def seconds(text):
    return datetime.fromisoformat(text).timestamp()


CONFIG = """
[receivers.am]
alertmanager = {{ url = "{url}", expires = "1h" }}
[route]
receiver = "am"
group_by = ["..."]
group_wait = "0s"
group_interval = "1s"
repeat_interval = "1s"
[[rules.threshold]]
name = "LowAccuracy"
metric = "accuracy"
below = 0.5
[state]
dir = "state"
[http]
listen = "off"
"""


def emit(folder, accuracy):
    recorder = Recorder(Settings(spool=str(folder / "state" / "spool"), project="iris"))
    recorder.start()
    assert recorder.emit("metric.logged", MetricLogged(values={"accuracy": accuracy}), context={"runid": "r1"})
    assert recorder.close(5.0)


def test_what_a_daemon_finds_is_there_is_repeated_and_ends(server, tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG.format(url=server.url))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
    command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(tmp_path / "c.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as daemon:
        try:
            assert any("READY" in line for line in daemon.stderr)
            emit(tmp_path, 0.1)
            name = ("LowAccuracy/below", "warning")
            first = wait_for(lambda: server.active().get(name), "the alert", 30)
            assert first["labels"]["run"] == "r1"
            wait_for(
                lambda: seconds(server.active()[name]["endsAt"]) > seconds(first["endsAt"]) + 0.5, "its repetition", 30
            )
            emit(tmp_path, 0.9)
            wait_for(lambda: name not in server.active(), "its end", 30)
        finally:
            daemon.terminate()
            daemon.communicate(timeout=20)
    assert daemon.returncode == 0


def test_a_firing_alert_is_there_with_its_labels_words_and_times(server, notifier, clock):
    tell(notifier, clock, "CircuitDrift")
    one = server.active()["CircuitDrift", "warning"]
    assert one["labels"] == {
        "alertname": "CircuitDrift", "severity": "warning", "rule": "CircuitDrift", "backend": "ibm_hanoi", "run_id": "r1",
    }  # fmt: skip
    assert one["annotations"] == {
        "summary": "moved by 0.087 “Hellinger”", "value_hellinger": "0.0871235", "finding_id": "0102",
    }  # fmt: skip
    assert seconds(one["startsAt"]) == pytest.approx(clock.now / SECOND - 60, abs=0.01)
    assert seconds(one["endsAt"]) == pytest.approx(clock.now / SECOND + 3 * 3600, abs=0.01)


def test_amtool_lists_it(server, notifier, clock):
    tell(notifier, clock, "StuckJob")
    command = [
        tool("amtool"),
        "alert",
        "query",
        f"--alertmanager.url={server.url}",
        "--output=json",
        "alertname=StuckJob",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert [one["labels"]["backend"] for one in json.loads(done.stdout)] == ["ibm_hanoi"]


def test_sent_again_it_is_one_alert_that_ends_later(server, notifier, clock):
    tell(notifier, clock, "Again")
    began = server.active()["Again", "warning"]
    clock.now += HOUR
    tell(notifier, clock, "Again", starts=clock.now - HOUR - 60 * SECOND)
    later = server.active()["Again", "warning"]
    assert seconds(later["endsAt"]) - seconds(began["endsAt"]) == pytest.approx(3600, abs=0.01)
    assert later["startsAt"] == began["startsAt"]


def test_a_resolved_alert_is_gone(server, notifier, clock):
    tell(notifier, clock, "Gone")
    assert ("Gone", "warning") in server.active()
    tell(notifier, clock, "Gone", "resolved")
    assert ("Gone", "warning") not in server.active()


def test_an_alert_whose_severity_changes_is_not_two(server, notifier, clock):
    tell(notifier, clock, "Worse")
    tell(notifier, clock, "Worse", severity="critical")
    found = server.active()
    assert ("Worse", "critical") in found
    assert ("Worse", "warning") not in found


def test_what_alertmanager_forgot_is_there_after_the_next_time(server, notifier, clock):
    tell(notifier, clock, "Forgotten")
    server.stop()
    with pytest.raises(RetryableError, match="no connection"):
        tell(notifier, clock, "Forgotten")
    server.start()
    assert server.active() == {}
    tell(notifier, clock, "Forgotten")
    assert list(server.active()) == [("Forgotten", "warning")]


def test_the_message_of_receivers_test_is_taken(server, notifier, clock):
    notifier.send([trial_notification("am", clock.now)])
    assert ("ReceiverTest", "info") in server.active()


def test_a_path_that_is_no_alertmanager_is_given_up(server, clock):
    notifier = AlertmanagerNotifier(AlertmanagerSettings(url=f"{server.url}/elsewhere"), clock)
    with pytest.raises(PermanentError, match="404"):
        tell(notifier, clock, "Lost")
    notifier.close()


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("alertmanager:9093", None, "no address"),
        ("ftp://127.0.0.1", None, "no address"),
        ("http://127.0.0.1:9093/?a=b", None, "no address"),
        ("http://me:secret@127.0.0.1:9093", None, "holds a password"),
        ("http://alertmanager.example.org", "abc", "in clear"),
        ("https://alertmanager.example.org", "", "no token"),
        ("https://alertmanager.example.org", "a\nb", "no token"),
    ],
)
def test_settings_that_cannot_be_are_refused_without_the_secret(tmp_path, url, token, said):
    (tmp_path / "token").write_text(token or "")
    file = None if token is None else str(tmp_path / "token")
    with pytest.raises(ConfigError, match=said) as refusal:
        AlertmanagerNotifier(AlertmanagerSettings(url=url, bearer_token_file=file))
    assert "secret" not in str(refusal.value)


def test_a_token_is_sent_and_a_missing_file_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read .*none"):
        AlertmanagerNotifier(
            AlertmanagerSettings(url="https://a.example.org", bearer_token_file=str(tmp_path / "none"))
        )
    (tmp_path / "token").write_text("abc\n")
    found = AlertmanagerNotifier(
        AlertmanagerSettings(url="https://a.example.org", bearer_token_file=str(tmp_path / "token"))
    )
    assert found._headers["Authorization"] == "Bearer abc"
