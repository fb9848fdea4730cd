"""The broker of the tests itself: it comes up, keeps its data over a kill, and its doors let in whom they should."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from aiokafka.helpers import create_ssl_context

from tests.broker import USERS, delete_topics
from tools.kafka.broker import Broker, answers
from tools.kafka.jars import BrokerError

WITHOUT = {name: text for name, text in os.environ.items() if name not in {"QML_TEST_KAFKA", "QML_KAFKA_LIBS"}}
ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())


async def make_topic(bootstrap, name):
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await client.close()


async def write(bootstrap, topic, values):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read(bootstrap, topic, number):
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await asyncio.wait_for(consumer.getone(), 60)).value for _ in range(number)]


async def topics(**arguments):
    client = AIOKafkaAdminClient(request_timeout_ms=8_000, **arguments)
    try:
        await client.start()
        return await client.list_topics()
    finally:
        await client.close()
        await asyncio.sleep(0.1)  # a TLS connection that was refused closes in later turns of the loop


def test_the_shared_broker_keeps_what_is_written(kafka, prefix):
    asyncio.run(make_topic(kafka, f"{prefix}one"))
    asyncio.run(write(kafka, f"{prefix}one", [b"a", b"b"]))
    assert asyncio.run(read(kafka, f"{prefix}one", 2)) == [b"a", b"b"]


def test_topics_of_a_test_are_gone_afterwards(kafka, prefix, wait_for):
    def known():
        return [name for name in asyncio.run(topics(bootstrap_servers=kafka)) if name.startswith(prefix)]

    asyncio.run(make_topic(kafka, f"{prefix}two"))
    wait_for(known)
    asyncio.run(delete_topics(kafka, prefix))
    wait_for(lambda: not known())


@pytest.mark.timeout(300)  # four starts of Java
def test_a_broker_keeps_its_data_and_ports_over_kill_and_stop(own_broker):
    broker = own_broker()
    address = broker.bootstrap
    asyncio.run(make_topic(address, "kept"))
    asyncio.run(write(address, "kept", [b"1", b"2"]))
    broker.kill()
    assert not answers(address)
    broker.start()
    asyncio.run(write(address, "kept", [b"3"]))
    broker.restart()
    assert broker.bootstrap == address
    assert asyncio.run(read(address, "kept", 3)) == [b"1", b"2", b"3"]
    broker.pause()
    assert not answers(address, 0.3)
    broker.resume()
    assert answers(address, 10)


def test_a_broker_that_does_not_come_up_says_why(own_broker):
    with pytest.raises(BrokerError, match="not_a_number"):
        own_broker(properties={"num.io.threads": "not_a_number"})


class Token(AbstractTokenProvider):
    """An unsigned token, as Kafka's validator for tests takes it."""

    async def token(self):
        now = time.time()
        parts = ({"alg": "none"}, {"sub": "alice", "iat": now, "exp": now + 300})
        return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + "."


def arguments(broker, door, word=USERS["alice"]):
    context = create_ssl_context(cafile=str(broker.authority.file))
    if door == "mtls":
        certificate, key = broker.authority.issue("client")
        context.load_cert_chain(certificate, key)
    known = {"sasl_plain_username": "alice", "sasl_plain_password": word}
    return {
        "tls": {"security_protocol": "SSL", "ssl_context": context},
        "mtls": {"security_protocol": "SSL", "ssl_context": context},
        "plain": {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **known},
        "scram": {"security_protocol": "SASL_SSL", "ssl_context": context, "sasl_mechanism": "SCRAM-SHA-256", **known},
        "scram512": {"security_protocol": "SASL_SSL", "ssl_context": context, "sasl_mechanism": "SCRAM-SHA-512", **known},
        "oauth": {
            "security_protocol": "SASL_SSL", "ssl_context": context, "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauth_token_provider": Token(),
        },
    }[door] | {"bootstrap_servers": broker.bootstraps[door]}  # fmt: skip


@pytest.mark.parametrize("door", ["tls", "mtls", "plain", "scram", "scram512", "oauth"])
def test_every_door_lets_in_who_has_the_key(secure_broker, door):
    assert isinstance(asyncio.run(topics(**arguments(secure_broker, door))), list)


@pytest.mark.parametrize("door", ["plain", "scram", "scram512"])
def test_a_door_keeps_out_a_wrong_password(secure_broker, door):
    with pytest.raises(KafkaConnectionError):
        asyncio.run(topics(**arguments(secure_broker, door, word="guessed")))


def test_mutual_tls_keeps_out_who_shows_no_certificate(secure_broker):
    without = arguments(secure_broker, "tls") | {"bootstrap_servers": secure_broker.bootstraps["mtls"]}
    with pytest.raises(KafkaConnectionError):
        asyncio.run(topics(**without))


def test_the_script_runs_a_command_beside_a_broker_and_passes_its_exit_code_on(tmp_path):
    command = [sys.executable, ROOT / "tools/kafka/broker.py", "--run", "sh", "-c", 'echo "at $QML_TEST_KAFKA"; exit 7']
    environment = {**WITHOUT, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 7
    address = done.stdout.removeprefix("at ").strip()
    assert address.startswith("127.0.0.1:")
    assert not answers(address)


def test_the_script_says_what_is_missing(tmp_path):
    environment = {**WITHOUT, "PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    command = [sys.executable, ROOT / "tools/kafka/broker.py", "--run", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "kafka: no broker: set QML_TEST_KAFKA=host:port, start Docker, or install Java and Maven"
    )
    assert "Traceback" not in done.stderr


def test_a_broker_says_that_java_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="`java` is missing; on Debian and Ubuntu: apt-get install default-jre"):
        Broker(tmp_path / "broker").start()


def test_the_jars_are_looked_for_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("QML_KAFKA_LIBS", str(tmp_path))
    with pytest.raises(BrokerError, match="no kafka_2.13-4.1.1.jar there"):
        Broker(tmp_path / "broker").start()


@pytest.mark.parametrize(("continuous", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_a_broker_a_laptop_skips_and_ci_fails(tmp_path, continuous, outcome):
    environment = {**WITHOUT, "PATH": str(tmp_path), "CI": continuous, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    test = f"{__file__}::{test_the_shared_broker_keeps_what_is_written.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, cwd=ROOT)
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert "no broker: set QML_TEST_KAFKA=host:port, start Docker, or install Java and Maven" in done.stdout
