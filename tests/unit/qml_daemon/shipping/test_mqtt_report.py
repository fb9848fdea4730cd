import pytest

from qml_daemon.shipping.mqtt_report import report_mqtt


@pytest.mark.parametrize("environ", [{}, {"QML_TARGET": "spool:"}, {"QML_TARGET": "kafka://monitor.example"}])
def test_nothing_is_said_where_the_target_is_no_broker(environ):
    assert list(report_mqtt(environ)) == []


@pytest.mark.parametrize(
    ("environ", "verdict", "said"),
    [
        ({"QML_TARGET": "mqtt://me:hunter2@h"}, "fail", "QML_TARGET: target: a secret does not belong into an address; set QML_MQTT_USER"),
        ({"QML_TARGET": "mqtt://127.0.0.1:1"}, "note", "mqtt://127.0.0.1:1 cannot be reached: Connection refused; programs keep"),
        (
            {"QML_TARGET": "mqtt://127.0.0.1:1", "QML_MQTT_PASSWORD": "hunter2"},
            "fail",
            "mqtt://127.0.0.1:1 cannot be reached from here: QML_MQTT_USER: a password needs its user",
        ),
        (
            {"QML_TARGET": "mqtt://127.0.0.1:1", "QML_MQTT_CA_FILE": "/nowhere"},
            "fail",
            "mqtt://127.0.0.1:1 cannot be reached from here: QML_MQTT_CA_FILE: is not used without TLS; write mqtts://",
        ),
        (
            {"QML_TARGET": "mqtts://127.0.0.1:1", "QML_MQTT_CA_FILE": "/nowhere"},
            "fail",
            "mqtts://127.0.0.1:1 cannot be reached from here: QML_MQTT_CA_FILE: cannot read /nowhere: No such file",
        ),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_used_is_said_with_its_mend(environ, verdict, said):
    ((name, found, text),) = report_mqtt(environ)
    assert (name, found) == ("target", verdict)
    assert text.startswith(said)
    assert "hunter2" not in text


@pytest.mark.system_tool("mosquitto")
def test_a_broker_that_lets_us_in_is_well_and_one_that_does_not_is_said(mosquitto):
    environ = {"QML_TARGET": mosquitto.url, **mosquitto.environ()}
    assert list(report_mqtt(environ)) == [
        ("target", "ok", f"{mosquitto.url}: lets this user in, messages of up to 131072 bytes")
    ]
    ((_, verdict, text),) = report_mqtt(environ | {"QML_MQTT_PASSWORD": "hunter2"})
    assert verdict == "fail"
    assert text.endswith("refuses the user or the password: check QML_MQTT_USER and QML_MQTT_PASSWORD_FILE")
