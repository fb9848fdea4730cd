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
        ({"QML_TARGET": "http://h:1"}, "target 'http://h:1': this version supports spool: and spool:/absolute/path"),
        ({"QML_TARGET": "spool"}, "target 'spool': this version supports spool: and spool:/absolute/path"),
        ({"QML_TARGET": "spool:here"}, "target 'spool:here': the path of a spool is absolute, as in spool:/data/spool"),
        ({"QML_PROJECT": "x" * 513}, "QML_PROJECT must be a text of 1 to 512 characters"),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(environ, message):
    with pytest.raises(ConfigError) as caught:
        read_settings(environ)
    assert str(caught.value) == message
