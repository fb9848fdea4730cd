"""Who one is to a broker: from the environment or the configuration, shown nowhere."""

import logging.config
import os

import pytest

from quantum_mlops.config.sections import MqttSection
from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.settings import read_settings
from quantum_mlops.shipping.address import parse_target
from quantum_mlops.shipping.connection import find_exposed, make_connection
from quantum_mlops.shipping.mqtt.access import Access
from quantum_mlops.shipping.mqtt.client import MqttClient
from quantum_mlops.shipping.mqtt.session import _silent


def test_the_password_stands_in_no_repr_and_comes_from_a_file_of_ones_own(tmp_path):
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    access = Access.from_environ({"QML_MQTT_USER": "u", "QML_MQTT_PASSWORD_FILE": str(path)})
    assert access.read_password() == "hunter2"
    assert Access.from_environ({"QML_MQTT_USER": "u", "QML_MQTT_PASSWORD": "hunter2"}).read_password() == "hunter2"
    assert "hunter2" not in f"{access!r} {Access(user='u', password='hunter2')!r}"  # noqa: S106 - made up
    path.chmod(0o604)
    with pytest.raises(ConfigError, match="mqtt.password_file: .* is open to other users"):
        Access.from_section(MqttSection(url="mqtt://h", user="u", password_file=str(path))).read_password()


def test_a_file_that_is_no_certificate_is_said(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    access = Access.from_environ({"QML_MQTT_CA_FILE": str(tmp_path / "ca.pem")})
    with pytest.raises(ConfigError, match="QML_MQTT_CA_FILE: .*ca.pem holds no certificate"):
        access.make_tls(parse_target("mqtts://h"))


@pytest.mark.parametrize(
    ("target", "environ", "said"),
    [
        (
            "mqtt://lab",
            {"QML_MQTT_PASSWORD": "x"},
            "the password for mqtt://lab:1883 travels unencrypted: use mqtts://",
        ),
        ("mqtt://lab", {}, None),
        ("mqtts://lab", {"QML_MQTT_PASSWORD": "x"}, None),
        ("mqtt://localhost", {"QML_MQTT_PASSWORD": "x"}, None),
        ("http://lab", {"QML_TOKEN": "x"}, "the token for http://lab:8765 travels unencrypted: use https://"),
        ("kafka://lab", {"QML_TOKEN": "x"}, None),
    ],
)
def test_a_secret_on_an_open_wire_is_said(target, environ, said):
    found = find_exposed(parse_target(target), environ)
    assert found is None if said is None else found.startswith(said)


def test_the_target_has_a_folder_and_a_client_of_its_own(tmp_path):
    environ = {"QML_SPOOL_DIR": str(tmp_path), "QML_TARGET": "MQTTS://Broker.lab".lower(), "QML_PROJECT": "iris"}
    settings = read_settings(environ)
    assert settings.target == "mqtts://broker.lab:8883"
    assert os.path.basename(settings.spool).startswith(".to-broker.lab-8883-")  # noqa: PTH119 - a text
    assert isinstance(make_connection(parse_target(settings.target), {}), MqttClient)


def test_a_hosts_set_up_of_logging_does_not_make_the_wire_talk(caplog):
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with caplog.at_level(logging.DEBUG):
        _silent.critical("Sending CONNECT")
    assert caplog.records == []
