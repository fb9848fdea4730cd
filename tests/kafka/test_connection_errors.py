"""A broker that is not there, too old or somebody else's; wrong credentials, wrong topics: one clear line, and an end.

Each command is a process as a user starts it. Within 30 s it ends with an exit code and one line that says what is
wrong: no traceback, no flood of the client's own log.
"""

import asyncio
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create
from tests.broker import USERS
from tools.kafka.broker import free_ports
from tools.kafka.certificates import Authority

READERS = [("daemon",), ("worker", "--listen", "127.0.0.1:0"), ("kafka", "status")]
EVERYBODY = [*READERS, ("kafka", "init")]
FAILED, USERS_MISTAKE, CRASHED = 1, 2, 70
PARTITIONS = 3
SECONDS, LINES = 30, 6


def names(commands):
    return {"argnames": "command", "argvalues": commands, "ids": [" ".join(words[:2]) for words in commands]}


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a command with a `[kafka]` and returns the exit code and what it said."""

    def run_one(command, **kafka):
        kafka.setdefault("partitions", PARTITIONS)
        lines = [
            f"{name} = {value if isinstance(value, (int, list)) else f'{chr(34)}{value}{chr(34)}'}"
            for name, value in kafka.items()
        ]
        text = ['[log]\nkind = "kafka"\n[http]\nlisten = "off"\n[state]\ndir = "state"\n[kafka]', *lines]
        (tmp_path / "c.toml").write_text("\n".join(text).replace("'", '"') + "\n")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("QML_")}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "quantum_mlops", *command, "--config", tmp_path / "c.toml"],
            capture_output=True, text=True, env=environ, timeout=SECONDS + 30,
        )  # fmt: skip
        took = time.monotonic() - started
        said = done.stderr.strip()
        assert done.returncode in {FAILED, USERS_MISTAKE, CRASHED}, (done.returncode, said)
        assert took < SECONDS, (took, said)
        assert "Traceback" not in said
        assert 1 <= len(said.splitlines()) <= LINES, said
        assert said.startswith(("quantum-mlops: ", "quantum-mlops worker: ")), said
        return done.returncode, said

    return run_one


@pytest.fixture
def secure(secure_broker, tmp_path):
    """Return the settings that let alice in by TLS and SCRAM."""
    word = tmp_path / "word"
    word.touch(mode=0o600)
    word.write_text(USERS["alice"])
    return {
        "bootstrap_servers": [secure_broker.bootstraps["scram"]],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_username": "alice",
        "sasl_password_file": str(word),
        "ssl_cafile": str(secure_broker.authority.file),
    }


@pytest.mark.parametrize(**names(EVERYBODY))
def test_wrong_credentials(run, secure, tmp_path, command):
    (tmp_path / "word").write_text("guessed")
    code, said = run(command, **secure)
    assert code == USERS_MISTAKE
    assert "the credentials are refused" in said
    assert "guessed" not in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_an_authority_that_did_not_sign_the_broker(run, secure, tmp_path, command):
    other = Authority(tmp_path / "other")
    code, said = run(command, **secure | {"ssl_cafile": str(other.file)})
    assert code == USERS_MISTAKE
    assert "TLS" in said
    assert "certificate" in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_an_authority_file_that_is_not_there(run, secure, tmp_path, command):
    code, said = run(command, **secure | {"ssl_cafile": str(tmp_path / "gone.pem")})
    assert code == USERS_MISTAKE
    assert "kafka.ssl_cafile" in said
    assert "gone.pem" in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_tls_to_a_plaintext_door(run, secure_broker, command):
    kafka = {"bootstrap_servers": [secure_broker.bootstrap], "security_protocol": "SSL"}
    _, said = run(command, **kafka, ssl_cafile=str(secure_broker.authority.file))
    assert secure_broker.bootstrap in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_plaintext_to_a_tls_door(run, secure_broker, command):
    _, said = run(command, bootstrap_servers=[secure_broker.bootstraps["tls"]])
    assert secure_broker.bootstraps["tls"] in said


@pytest.mark.parametrize(**names(READERS))
def test_topics_that_are_not_there(run, kafka, prefix, command):
    code, said = run(command, bootstrap_servers=[kafka], topic_prefix=prefix)
    assert code == USERS_MISTAKE
    assert f"{prefix}events.v1" in said
    assert "quantum-mlops kafka init" in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_topics_with_another_number_of_partitions(run, kafka, prefix, command):
    settings = KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix)
    asyncio.run(create(settings, PARTITIONS))
    code, said = run(command, bootstrap_servers=[kafka], topic_prefix=prefix, partitions=PARTITIONS + 1)
    assert code == USERS_MISTAKE
    assert f"{prefix}events.v1" in said
    assert "kafka.partitions" in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_a_broker_that_is_not_there(run, command):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    code, said = run(command, bootstrap_servers=[address])
    assert code == (CRASHED if command[0] == "worker" else FAILED)
    assert address in said
    assert "cannot be reached" in said


@contextmanager
def listening(answer):
    """Serve connections by `answer(connection)`; yields the address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        block_on_close = False

        def handle_error(self, request, client_address):
            pass  # the client went away

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(**names(EVERYBODY))
def test_somebody_who_hangs_up(run, command):
    with listening(lambda connection: connection.shutdown(socket.SHUT_RDWR)) as address:
        _, said = run(command, bootstrap_servers=[address])
    assert address in said


@pytest.mark.parametrize(**names(EVERYBODY))
def test_somebody_who_never_answers(run, command):
    ended = threading.Event()
    with listening(lambda connection: ended.wait(SECONDS * 2)) as address:
        _, said = run(command, bootstrap_servers=[address])
        ended.set()
    assert address in said


class OldBroker:
    """Speaks, in the words of Kafka 0.10.0, what a client asks to learn whom it talks to, and nothing newer."""

    FETCH, METADATA, API_VERSIONS = 1, 3, 18
    SPOKEN = ((FETCH, 0, 2), (METADATA, 0, 1), (API_VERSIONS, 0, 0))

    def __init__(self):
        self.port = 0

    def __call__(self, connection):
        self.port = connection.getsockname()[1]
        while header := connection.recv(4, socket.MSG_WAITALL):
            question = connection.recv(struct.unpack(">i", header)[0], socket.MSG_WAITALL)
            key, version, number = struct.unpack(">hhi", question[:8])
            answer = self.answer(key, version)
            if answer is None:
                return
            connection.sendall(struct.pack(">ii", len(answer) + 4, number) + answer)

    def answer(self, key, version):
        if key == self.API_VERSIONS:
            spoken = b"".join(struct.pack(">hhh", *one) for one in self.SPOKEN)
            return struct.pack(">hi", 35 if version else 0, len(self.SPOKEN)) + spoken
        return self.metadata(version) if key == self.METADATA and version <= 1 else None

    def metadata(self, version):
        more = (struct.pack(">h", -1), struct.pack(">i", 0), b"\0") if version else (b"", b"", b"")
        broker = struct.pack(">ih9si", 0, 9, b"127.0.0.1", self.port) + more[0]
        names = Topics("qml.")
        parts = dict.fromkeys(names.partitioned, PARTITIONS) | {names.cursors: 1}
        return struct.pack(">i", 1) + broker + more[1] + struct.pack(">i", len(parts)) + b"".join(
            struct.pack(f">hh{len(name)}s", 0, len(name), name.encode()) + more[2] + struct.pack(">i", number)
            + b"".join(struct.pack(">hiiiiii", 0, part, 0, 1, 0, 1, 0) for part in range(number))
            for name, number in parts.items()
        )  # fmt: skip


@pytest.mark.parametrize(**names(EVERYBODY))
def test_a_broker_that_is_too_old(run, command):
    with listening(OldBroker()) as address:
        _, said = run(command, bootstrap_servers=[address])
    assert "the broker is too old; Kafka 2.5 or newer is needed" in said
