"""The engine faust where it cannot work: one clear line and an exit code within 30 s, as with the other engine."""

import asyncio
import subprocess
import sys
import time

import pytest

from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import create
from tests.broker import USERS
from tools.kafka.broker import free_ports

RUN = "import sys; {before}; from quantum_mlops.__main__ import main; sys.exit(main())"


@pytest.fixture
def refuse(tmp_path):
    """Return a function that runs a worker until it ends; it returns the exit code and the last line said."""

    def refuse(before="pass", **kafka):
        kafka = {"engine": "faust", "partitions": 1} | kafka
        lines = [f"{name} = {value!r}" for name, value in kafka.items()]
        path = tmp_path / "quantum-mlops.toml"
        path.write_text("\n".join(['[log]\nkind = "kafka"\n[kafka]', *lines]).replace("'", '"') + "\n")
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", RUN.format(before=before), "worker", "--config", path, "--listen", "127.0.0.1:0"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert time.monotonic() - started < 30, done.stderr
        assert "Traceback" not in done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) <= 6, done.stderr
        return done.returncode, lines[-1]

    return refuse


@pytest.fixture
def topics(kafka, prefix):
    asyncio.run(create(KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix), 1))
    return {"bootstrap_servers": [kafka], "topic_prefix": prefix, "group": f"{prefix}group"}


def test_a_broker_that_is_not_there(refuse):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    code, line = refuse(bootstrap_servers=[address])
    assert code == 70
    assert address in line
    assert "cannot be reached" in line


def test_wrong_credentials(refuse, secure_broker, tmp_path):
    word = tmp_path / "word"
    word.touch(mode=0o600)
    word.write_text("guessed")
    code, line = refuse(
        bootstrap_servers=[secure_broker.bootstraps["scram"]], security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256", sasl_username=next(iter(USERS)), sasl_password_file=str(word),
        ssl_cafile=str(secure_broker.authority.file),
    )  # fmt: skip
    assert code == 2
    assert "the credentials are refused" in line
    assert "guessed" not in line


def test_topics_that_are_not_there(refuse, kafka, prefix):
    code, line = refuse(bootstrap_servers=[kafka], topic_prefix=prefix)
    assert code == 2
    assert "quantum-mlops kafka init" in line


def test_a_session_that_brokers_refuse(refuse, topics):
    code, line = refuse(session_timeout="1s", **topics)
    assert code in {2, 70}
    assert "session" in line.lower()


def test_the_extra_is_missing(refuse, topics):
    code, line = refuse(before="sys.modules['faust'] = None", **topics)
    assert code == 2
    assert "pip install 'quantum-mlops[faust]'" in line
