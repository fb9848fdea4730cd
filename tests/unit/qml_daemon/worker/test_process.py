"""A worker that cannot begin: one clear line, and the exit code that says whose turn it is."""

import os
import socket
import subprocess
import sys
import time

import pytest

from qml_daemon.configuration import read_config
from qml_daemon.http.health import Health
from qml_daemon.metrics.service import Board
from qml_daemon.worker.process import CRASHED, DONE, USERS_MISTAKE, WorkerOptions, WorkerProcess
from qml_daemon.worker.service import build_service
from quantum_mlops.errors import ConfigError


@pytest.fixture
def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]  # bound and not listening: a connection is refused


@pytest.fixture
def kafka_config(tmp_path, closed_port):
    path = tmp_path / "quantum-mlops.toml"
    path.write_text(f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["127.0.0.1:{closed_port}"]\n')
    return path


def run(config, *arguments):
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "quantum_mlops", "worker", "--config", str(config), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr.splitlines(), time.monotonic() - started


def test_an_absent_broker_is_one_line_and_the_code_for_a_restart(kafka_config, closed_port):
    code, lines, seconds = run(kafka_config)
    assert code == CRASHED == 70
    (line,) = lines
    assert line.startswith(f"quantum-mlops worker: Kafka at 127.0.0.1:{closed_port}: signing in: cannot be reached: ")
    assert seconds < 30


def test_a_configuration_without_kafka_is_the_users_mistake(tmp_path):
    path = tmp_path / "quantum-mlops.toml"
    path.write_text('[log]\nkind = "memory"\n')
    code, lines, _ = run(path)
    assert code == USERS_MISTAKE == 2
    assert lines == ['quantum-mlops worker: log.kind: a worker needs [log] kind = "kafka", and [kafka]']


def test_an_address_for_everybody_needs_tokens(kafka_config):
    config = read_config(kafka_config, os.environ)
    for listen, told in (("0.0.0.0:0", "tokens are needed"), ("nonsense", "no address")):
        with pytest.raises(ConfigError, match=told):
            build_service(config, listen, Health(), Board())
    assert build_service(config, "off", Health(), Board()) is None


def test_a_bug_is_the_code_for_a_restart_and_its_last_line_names_it(kafka_config, monkeypatch):
    said = []
    process = WorkerProcess(read_config(kafka_config, os.environ), WorkerOptions(listen="off"), said.append)

    def fail(environ):
        raise ZeroDivisionError("on a line")

    monkeypatch.setattr(process, "_run", fail)
    assert process.run({}) == CRASHED
    assert said == ["quantum-mlops worker: ZeroDivisionError: on a line"]
    monkeypatch.setattr(process, "_run", lambda environ: None)
    assert process.run({}) == DONE


def test_help_shows_examples_and_exit_codes():
    ended = subprocess.run(
        [sys.executable, "-m", "quantum_mlops", "worker", "--help"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    for word in ("quantum-mlops worker --instance worker-1", "70", "--listen", "READY"):
        assert word in ended.stdout
