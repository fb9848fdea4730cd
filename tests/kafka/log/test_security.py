"""A broker with TLS and SASL switched on: who fits gets in, who does not is told in one line, quickly."""

import asyncio
import base64
import json
import time

import msgspec
import pytest

from quantum_mlops.config.sections import KafkaSection
from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import create
from tests.broker import USERS


@pytest.fixture(scope="module")
def plain(secure_broker):
    """Make the topics by the plaintext door."""
    settings = KafkaSettings(bootstrap_servers=(secure_broker.bootstrap,), topic_prefix="secure.")
    asyncio.run(create(settings, 1))
    return settings


@pytest.fixture
def secret(tmp_path):
    def write(text, name="secret"):
        path = tmp_path / name
        path.write_text(f"{text}\n")
        path.chmod(0o600)
        return str(path)

    return write


@pytest.fixture
def enter(secure_broker, plain):
    """Return a function that opens a log by a door, writes, reads and closes it."""

    def enter(door, **more):
        settings = msgspec.structs.replace(plain, bootstrap_servers=(secure_broker.bootstraps[door],), **more)
        log = KafkaLog(settings)
        try:
            log.commit(0, Commit(watermark=b"w"))
            log.move_cursors({door: b"1"})
            assert log.checkpoint(0).watermark == b"w"
            assert log.read(Stream.EVENTS, 0, 0, 10) == []
            return log.cursor(door)
        finally:
            log.close()

    return enter


def token_of(user):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': user, 'iat': now, 'exp': now + 3600})}."


def test_tls(enter, secure_broker):
    assert enter("tls", security_protocol="SSL", ssl_cafile=str(secure_broker.authority.file)) == b"1"


@pytest.mark.parametrize(("door", "mechanism"), [("scram", "SCRAM-SHA-256"), ("scram512", "SCRAM-SHA-512")])
def test_scram_over_tls(enter, secure_broker, secret, door, mechanism):
    access = {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(secure_broker.authority.file),
        "sasl_mechanism": mechanism,
        "sasl_username": "alice",
    }
    assert enter(door, **access, sasl_password_file=secret(USERS["alice"])) == b"1"
    with pytest.raises(ConfigError, match="signing in: the credentials are refused") as caught:
        enter(door, **access, sasl_password_file=secret("wrong-secret"))
    assert "wrong-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plain(enter, secret):
    access = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "bob"}
    assert enter("plain", **access, sasl_password_file=secret(USERS["bob"])) == b"1"
    with pytest.raises(ConfigError, match="the credentials are refused"):
        enter("plain", **access, sasl_password_file=secret("wrong-secret"))


def test_a_token(enter, secure_broker, secret):
    access = {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(secure_broker.authority.file),
        "sasl_mechanism": "OAUTHBEARER",
    }
    assert enter("oauth", **access, oauth_token_file=secret(token_of("carol"))) == b"1"
    with pytest.raises(ConfigError, match="signing in"):
        enter("oauth", **access, oauth_token_file=secret("no-token"))


def test_a_broker_of_another_authority_is_not_trusted(enter):
    with pytest.raises(ConfigError, match="TLS fails: .*certificate"):
        enter("tls", security_protocol="SSL")


def test_the_wrong_mechanism_and_the_wrong_protocol_are_told(enter, secure_broker, secret):
    access = {"sasl_username": "alice", "sasl_password_file": secret(USERS["alice"])}
    with pytest.raises(ConfigError, match="it does not take this SASL mechanism"):
        enter("plain", security_protocol="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-256", **access)
    began = time.monotonic()
    for door, protocol in (("tls", "PLAINTEXT"), ("plain", "SSL"), ("plain", "PLAINTEXT"), ("scram", "SSL")):
        authority = str(secure_broker.authority.file) if protocol == "SSL" else None
        with pytest.raises(LogError, match=f"the broker closes the connection; is security_protocol {protocol}"):
            enter(door, security_protocol=protocol, ssl_cafile=authority)
    assert time.monotonic() - began < 10


def test_a_secret_that_changes_is_read_anew(secure_broker, plain, secret):
    settings = KafkaSettings.from_section(
        KafkaSection(
            bootstrap_servers=[secure_broker.bootstraps["plain"]], topic_prefix="secure.", partitions=1,
            security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="alice",
            sasl_password_file=secret("old"),
        )
    )  # fmt: skip
    assert "old" not in repr(settings)
    with pytest.raises(ConfigError):
        KafkaLog(settings)
    secret(USERS["alice"])
    log = KafkaLog(settings)
    assert log.partitions == 1
    log.close()
