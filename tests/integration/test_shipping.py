"""Trainers, `ship` and `emit` against a real daemon's own HTTP service, which is killed in between."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest

from qml_daemon.http.token_file import Token, hash_secret, write_tokens
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

SECRET = "secret-of-a-trainer-0123456789"  # noqa: S105 - a test's own
TRAINER = """
import sys, time
import quantum_mlops as q
q.autolog()
with q.run("x"):
    for value in range(2000):
        q.log_metrics({"a": value})
        time.sleep(0.001)
    print("trained", flush=True)
    sys.stdin.readline()
"""


class Monitor:
    """One daemon after another, on the same state and the same port."""

    def __init__(self, folder):
        self.folder = folder
        write_tokens(
            folder / "tokens.toml", [Token(name="t", project="iris", scopes=["ingest"], sha256=hash_secret(SECRET))]
        )
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        (folder / "quantum-mlops.toml").write_text(
            f'[state]\ndir = "state"\n[http]\nlisten = "127.0.0.1:{port}"\ntokens_file = "tokens.toml"\n'
        )
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(self.folder / "quantum-mlops.toml")]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if re.search(r"\bREADY\b", line):
                return
        pytest.fail("the daemon ended before it was ready")

    def end(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate(timeout=30)
            self.process = None

    def events(self):
        """Return how often the log has each of the trainers' events, and their values."""
        reader = SqliteLog.open_reader(self.folder / "state" / "store.sqlite")
        try:
            events = [
                record.event for partition in range(reader.partitions)
                for record in reader.read(Stream.EVENTS, partition, 0, 100_000)
            ]  # fmt: skip
        finally:
            reader.close()
        sent = [
            event
            for event in events
            if event.source.startswith("qml://") and event.type.split(".")[1] in ("metric", "run")
        ]
        assert {(event.project, event.partitionkey) for event in sent} <= {("iris", "iris")}
        return Counter(event.key for event in sent), {
            value for event in sent for name, value in getattr(event.data, "values", {}).items() if name == "a"
        }


@pytest.fixture
def monitor(tmp_path):
    (tmp_path / "monitor").mkdir()
    monitor = Monitor(tmp_path / "monitor")
    monitor.start()
    yield monitor
    monitor.end()


@pytest.fixture
def environ(tmp_path, monitor):
    (tmp_path / "token").write_text(SECRET + "\n")
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "QML_STATE_DIR": str(tmp_path / "node"), "QML_TARGET": monitor.url,
        "QML_TOKEN_FILE": str(tmp_path / "token"), "QML_FLUSH_SECONDS": "20",
    }  # fmt: skip


def command(environ, *arguments, stdin=None):
    words = [sys.executable, "-m", "quantum_mlops", *map(str, arguments)]
    return subprocess.run(words, env=environ, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_a_daemon_that_is_killed_under_way_gets_every_event_and_the_token_says_whose_they_are(
    tmp_path, monitor, environ
):
    with subprocess.Popen(
        [sys.executable, "-c", TRAINER], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as trainer:  # fmt: skip
        monitor.end(signal.SIGKILL)
        assert trainer.stdout.readline() == "trained\n"
        monitor.start()
        _, stderr = trainer.communicate("\n", timeout=60)
    assert trainer.returncode == 0
    assert "KiB of events are not at" not in stderr
    assert list((tmp_path / "node").rglob("*.qseg")) == []
    copies, values = monitor.events()
    assert values == {float(number) for number in range(2000)}
    assert len(copies) == 2002


def test_a_killed_trainers_spool_is_shipped_to_the_daemon_exactly_once(tmp_path, monitor, environ):
    (tmp_path / "shared").mkdir()
    plain = environ | {"QML_TARGET": f"spool:{tmp_path / 'shared'}"}
    with subprocess.Popen(
        [sys.executable, "-c", TRAINER], env=plain, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout.readline() == "trained\n"
        first = command(environ, "ship", "--once", "--spool", tmp_path / "shared")
        assert first.returncode == 0, first.stderr
        trainer.kill()
    second = command(environ, "ship", "--once", "--spool", tmp_path / "shared")
    assert second.returncode == 0, second.stderr
    assert list((tmp_path / "shared").glob("*.qseg")) == []
    copies, values = monitor.events()
    assert values == {float(number) for number in range(2000)}
    assert set(copies.values()) == {1}


def test_shell_lines_reach_the_daemon_and_a_wrong_token_is_said(tmp_path, monitor, environ):
    line = '{"type": "metric.logged", "data": {"values": {"a": 7}}}\n'
    done = command(environ, "emit", "--run", "r1", stdin=line)
    assert (done.returncode, done.stderr) == (0, "quantum-mlops emit: 1 events taken, 0 lines wrong\n")
    assert monitor.events()[1] == {7.0}
    (tmp_path / "token").write_text("wrong-secret-of-nobody-00000")
    done = command(environ, "emit", "--run", "r1", stdin=line)
    assert done.returncode == 1
    assert "answered 401" in done.stderr
    assert "wrong-secret" not in done.stderr


def test_a_daemon_and_ship_never_share_a_spool(monitor, environ):
    command(
        environ | {"QML_TARGET": f"spool:{monitor.folder / 'state' / 'spool'}"}, "emit", "--type", "com.example.note"
    )
    for _ in range(100):  # a first `ship` may come before the daemon's next look at the new folder
        if command(environ, "ship", "--once", "--spool", monitor.folder / "state" / "spool").returncode == 2:
            break
    done = command(environ, "ship", "--once", "--spool", monitor.folder / "state" / "spool")
    assert done.returncode == 2
    assert "a daemon, or another quantum-mlops ship, reads this spool already" in done.stderr
