"""Commands about the state folder, where the log is not in it but on Kafka."""

import pytest

from qml_daemon.cli import main
from qml_daemon.delivery.store import OutboxStore


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        '[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["127.0.0.1:1"]\ntopic_prefix = "lab."\n'
        f'[state]\ndir = "{tmp_path / "state"}"\n'
    )
    return path


@pytest.mark.parametrize("command", [["backup", "."], ["restore", "x", "--yes"]])
def test_backup_and_restore_refuse_with_one_line_that_says_what_to_do(config, capsys, command):
    assert main([*command, "--config", str(config)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "this log is on Kafka" in line
    assert "quantum-mlops kafka export" in line


def test_purge_removes_what_is_here_and_says_that_the_topics_stay(config, capsys, tmp_path):
    OutboxStore(tmp_path / "state" / "outbox.sqlite").close()
    assert main(["purge", "--yes", "--config", str(config)]) == 0
    assert "the topics lab.* stay in Kafka" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_doctor_says_in_one_line_that_kafka_cannot_be_reached(config, capsys):
    assert main(["doctor", "--config", str(config)]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fail")]
    assert "Kafka at 127.0.0.1:1" in line
