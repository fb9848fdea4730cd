"""Receivers are found by their entry points and built from the configuration."""

from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from qml_daemon.notifiers.log import LogNotifier
from qml_daemon.notifiers.plugins import build_notifiers, load_kinds
from qml_daemon.notifiers.slack import SlackNotifier
from quantum_mlops.errors import ConfigError


def test_slack_and_log_are_installed() -> None:
    kinds = load_kinds()
    assert (kinds["slack"], kinds["log"]) == (SlackNotifier, LogNotifier)


def test_a_receiver_may_have_several_kinds(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.slack.com/services/T/B/x")
    (tmp_path / "c.toml").write_text(
        '[receivers.team]\nslack = { url_file = "url" }\nlog = {}\n[route]\nreceiver = "team"\n'
    )
    found = build_notifiers(read_config(tmp_path / "c.toml", {}), load_kinds())
    assert list(found) == [("team", "slack"), ("team", "log")]


def test_a_secret_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("verysecret")
    (tmp_path / "c.toml").write_text('[receivers.team]\nslack = { url_file = "url" }\n[route]\nreceiver = "team"\n')
    with pytest.raises(ConfigError) as caught:
        build_notifiers(read_config(tmp_path / "c.toml", {}), load_kinds())
    assert str(caught.value) == (
        f"{tmp_path}/c.toml: receivers.team.slack: {tmp_path}/url holds no address like "
        "https://hooks.slack.com/services/… (http only on this machine)"
    )
