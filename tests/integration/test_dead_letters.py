"""Dead letters put back in through the running daemon, which alone writes its log."""

import hashlib
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from qml_daemon.status import read_status
from quantum_mlops.codec import encode
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

SECRETS = {"iris": "one-project", "*": "every-project"}


def metric(number, project):
    return Event(
        id=f"{number:016x}", source="qml://h/a/0", type=type_name("metric.logged"), time=1_700_000_000 * 10**9,
        partitionkey=project, project=project, data=MetricLogged(values={"loss": 0.5}),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    tokens = tmp_path / "tokens.toml"
    tokens.touch(mode=0o600)
    tokens.write_text(
        "".join(
            f'[[tokens]]\nname = "t{number}"\nproject = "{project}"\nscopes = ["ingest"]\n'
            f'sha256 = "{hashlib.sha256(secret.encode()).hexdigest()}"\n'
            for number, (project, secret) in enumerate(SECRETS.items())
        )
    )
    (tmp_path / "c.toml").write_text(
        '[state]\ndir = "state"\n[spool]\ndir = "spool"\n[http]\nlisten = "127.0.0.1:0"\ntokens_file = "tokens.toml"\n'
    )
    log = SqliteLog(tmp_path / "state" / "store.sqlite")
    letters = [
        DeadLetter(data=encode(metric(n, p)), reason="unknown field", origin="log")
        for n, p in enumerate(("iris", "lab"))
    ]
    log.append([], dead_letters=letters)
    log.close()
    return tmp_path


@pytest.fixture
def command(folder):
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}

    def command(*words, secret=None):
        more = {} if secret is None else {"QML_TOKEN": secret}
        words = [sys.executable, "-m", "quantum_mlops", *words, "--config", str(folder / "c.toml")]
        return words, {**environ, **more}

    return command


def test_the_daemon_takes_them_and_keeps_whose_they_are(folder, command) -> None:
    words, environ = command("daemon")
    daemon = subprocess.Popen(words, env=environ, stderr=subprocess.PIPE)

    def is_ready():
        status = read_status(folder / "state" / "status.json")
        return status is not None and status.state == "ready" and status.http is not None

    def retry(secret=None):
        words, environ = command("dead-letters", "retry", "--all", secret=secret)
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    try:
        wait_for(is_ready, "a daemon that is ready")
        code, out, err = retry()
        assert (code, out) == (2, "")
        assert "a token is needed" in err
        code, out, err = retry(SECRETS["iris"])
        assert (code, out) == (2, "")
        assert "the token writes to 'iris' only, and there are events of 'lab'" in err
        assert retry(SECRETS["*"]) == (0, "2 put back in, 0 stay\n", "")
        assert retry(SECRETS["*"]) == (0, "0 put back in, 0 stay\n", "")
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    reader = SqliteLog.open_reader(folder / "state" / "store.sqlite")
    found = [record.event for record in reader.read(Stream.EVENTS, 0, 0, 1000)]
    reader.close()
    metrics = [replace(event, ingestedtime=None) for event in found if isinstance(event.data, MetricLogged)]
    assert metrics == [metric(0, "iris"), metric(1, "lab")]
