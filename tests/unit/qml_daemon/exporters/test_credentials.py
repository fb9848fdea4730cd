import pytest

from qml_daemon.exporters.credentials import forget_surroundings, read_credential_files
from quantum_mlops.errors import ConfigError


def test_a_file_gives_the_password_and_what_is_set_directly_wins(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    environ = {"MLFLOW_TRACKING_PASSWORD_FILE": str(tmp_path / "password")}
    read_credential_files(environ)
    assert list(environ.items())[1] == ("MLFLOW_TRACKING_PASSWORD", "secret")
    environ |= {"MLFLOW_TRACKING_PASSWORD": "direct"}
    read_credential_files(environ)
    assert list(environ.items())[1] == ("MLFLOW_TRACKING_PASSWORD", "direct")


@pytest.mark.parametrize(("content", "word"), [(None, "cannot be read"), (b"", "is empty"), (b"\xff", "not UTF-8")])
def test_a_file_that_gives_nothing_is_named(tmp_path, content, word):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match=f"MLFLOW_TRACKING_TOKEN_FILE: .*{word}"):
        read_credential_files({"MLFLOW_TRACKING_TOKEN_FILE": str(tmp_path / "token")})


def test_what_would_lead_mlflow_elsewhere_is_taken_out():
    environ = {"MLFLOW_TRACKING_URI": "http://elsewhere", "MLFLOW_RUN_ID": "x", "MLFLOW_TRACKING_TOKEN": "kept"}
    forget_surroundings(environ)
    assert environ == {"MLFLOW_TRACKING_TOKEN": "kept"}
