import pytest

from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.settings import read_settings


@pytest.mark.parametrize(
    ("environ", "spool"),
    [
        ({"QML_SPOOL_DIR": "/a"}, "/a"),
        ({"QML_STATE_DIR": "/b"}, "/b/spool"),
        ({"QML_SPOOL_DIR": "/a", "QML_STATE_DIR": "/b"}, "/a"),
        ({"QML_TARGET": "spool:/c", "QML_SPOOL_DIR": "/a"}, "/c"),
        ({"QML_TARGET": "spool:", "QML_SPOOL_DIR": "/a"}, "/a"),
        ({"XDG_STATE_HOME": "/d"}, "/d/quantum-mlops/spool"),
    ],
)
def test_the_spool_is_where_the_contract_says(environ, spool):
    assert read_settings(environ).spool == spool


@pytest.mark.parametrize("environ", [{}, {"XDG_STATE_HOME": "relative"}])
def test_without_any_name_it_is_in_the_user_s_state_folder(environ, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert read_settings(environ).spool == "/home/ada/.local/state/quantum-mlops/spool"


def test_arguments_win_over_the_environment():
    environ = {"QML_PROJECT": "one", "QML_TARGET": "spool:/a"}
    settings = read_settings(environ, "two", "spool:/b")
    assert (settings.project, settings.spool) == ("two", "/b")
    assert read_settings(environ).project == "one"
    assert read_settings({"HOME": "/h"}).project == "default"


@pytest.mark.parametrize(("text", "enabled"), [("1", False), ("true", False), ("YES", False), ("0", True), ("", True)])
def test_one_variable_switches_everything_off(text, enabled):
    assert read_settings({"QML_DISABLED": text}).enabled is enabled


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"QML_DISABLED": "perhaps"}, "QML_DISABLED is 'perhaps': use 1 to switch the SDK off, 0 to leave it on"),
        (
            {"QML_TARGET": "amqp://me:secret@h:1"},
            "target 'amqp:...': possible are spool:, spool:/absolute/path, http://host:8765, https://host, kafka://host:9092, mqtt://host:1883, mqtts://host:8883",
        ),
        (
            {"QML_TARGET": "kafka://me:secret@h:1"},
            "target: a secret does not belong into an address; set QML_KAFKA_SASL_USERNAME and QML_KAFKA_SASL_PASSWORD_FILE",
        ),
        (
            {"QML_TARGET": "spool"},
            "target 'spool': possible are spool:, spool:/absolute/path, http://host:8765, https://host, kafka://host:9092, mqtt://host:1883, mqtts://host:8883",
        ),
        (
            {"QML_TARGET": "https://me:secret@h"},
            "target: a secret does not belong into an address; set QML_TOKEN or QML_TOKEN_FILE",
        ),
        ({"QML_TARGET": "https://h:99999"}, "target: Port out of range 0-65535; it looks like https://host:8765"),
        (
            {"QML_TARGET": "https://h?a=b"},
            "target: an address has a host, a port and at most a plain path, as in https://host:8765",
        ),
        ({"QML_FLUSH_SECONDS": "soon"}, "QML_FLUSH_SECONDS is 'soon': a number of seconds from 0 to 3600"),
        ({"QML_FLUSH_SECONDS": "-1"}, "QML_FLUSH_SECONDS is '-1': a number of seconds from 0 to 3600"),
        ({"QML_TARGET": "spool:here"}, "target 'spool:here': the path of a spool is absolute, as in spool:/data/spool"),
        ({"QML_PROJECT": "x" * 513}, "QML_PROJECT must be a text of 1 to 512 characters"),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(environ, message):
    with pytest.raises(ConfigError) as caught:
        read_settings(environ)
    assert str(caught.value) == message


def test_a_service_has_a_folder_of_its_own_for_each_target_and_project():
    environ = {"QML_SPOOL_DIR": "/a", "QML_TARGET": "https://monitor.example/"}
    one = read_settings(environ)
    assert one.target == "https://monitor.example:443"
    assert one.spool.startswith("/a/.to-monitor.example-443-")
    assert read_settings(environ) == one
    others = {read_settings(environ, "iris").spool, read_settings(environ, None, "http://monitor.example").spool}
    assert len(others | {one.spool}) == 3
    assert read_settings(environ, None, "spool:").spool == "/a"


def test_how_long_the_end_waits_for_a_service_is_a_setting():
    assert read_settings({"HOME": "/h"}).flush_seconds == 5.0
    assert read_settings({"HOME": "/h", "QML_FLUSH_SECONDS": "0"}).flush_seconds == 0.0
    assert read_settings({"HOME": "/h", "QML_FLUSH_SECONDS": "60"}).flush_seconds == 60.0
