import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from qml_daemon.mqtt.report import report_bridge
from qml_daemon.mqtt.stats import MqttStats
from quantum_mlops.config.load import load_config
from quantum_mlops.config.sections import MqttSection


class Ready(msgspec.Struct):
    mqtt: MqttStats | None
    state: str = "ready"


STATS = MqttStats(
    url="mqtt://localhost:1883", connected=True, fault=None, connections=1, sessions_lost=0, messages=9, events=7,
    rejected={"malformed": 2}, dropped=0, waiting=0,
)  # fmt: skip


@pytest.fixture
def config(tmp_path):
    class Log(msgspec.Struct):
        pass

    whole = load_config(None, {"QML_STATE_DIR": str(tmp_path)}, {"log": Log})
    return lambda **mqtt: msgspec.structs.replace(whole, mqtt=MqttSection(**mqtt))


def test_nothing_is_said_without_a_broker(config):
    without = msgspec.structs.replace(config(url="mqtt://h"), mqtt=None)
    assert list(report_bridge(without, None)) == []


@pytest.mark.parametrize(
    ("status", "verdict", "said"),
    [
        (None, "note", "the broker keeps what comes until the daemon runs"),
        (Ready(None), "note", "the running daemon has another configuration"),
        (Ready(STATS), "ok", "7 events and 2 dead letters since the daemon's start"),
        (
            Ready(msgspec.structs.replace(STATS, connected=False, fault="cannot be reached: Connection refused")),
            "note",
            "cannot be reached: Connection refused; 7 events",
        ),
        (Ready(msgspec.structs.replace(STATS, sessions_lost=2)), "note", "2 times it had lost what it kept"),
    ],
)
def test_what_the_daemon_wrote_is_told(config, status, verdict, said):
    ((name, found, text),) = report_bridge(config(url="mqtt://localhost"), status)
    assert (name, found) == ("mqtt", verdict)
    assert said in text


def test_a_password_on_an_open_wire_is_said(config):
    lines = list(report_bridge(config(url="mqtt://lab", user="u", password_file="/x"), None))  # noqa: S106 - a path
    assert lines[0][2] == "the password for mqtt://lab:1883 travels unencrypted: use mqtts:// outside of this machine"


def test_the_page_shows_a_section_that_is_valid(tmp_path):
    from tests.mosquitto import block_of

    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    text = block_of("toml").replace("/run/secrets/mqtt", "secret").replace("/etc/ssl/lab-ca.pem", "secret")
    (tmp_path / "quantum-mlops.toml").write_text(text)
    found = load_config(tmp_path / "quantum-mlops.toml", {}, {"log": msgspec.defstruct("Log", [])}).mqtt
    assert found == MqttSection(
        url="mqtts://broker.lab", user="qml-daemon",
        password_file=str(tmp_path / "secret"), ca_file=str(tmp_path / "secret"),
    )  # fmt: skip
    assert Path(found.password_file).is_absolute()


def test_a_daemon_without_a_broker_and_doctor_load_no_client_of_mqtt():
    code = (
        "import sys, qml_daemon.runtime, qml_daemon.examination\n"
        "sys.exit('aiomqtt' in sys.modules or 'paho' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
