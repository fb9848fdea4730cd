"""Brokers for tests marked `kafka`: a plain one for all of them, one with TLS and SASL, and one's own to kill.

The plain one is, in this order: what `QML_TEST_KAFKA` names, Docker's `apache/kafka`, Maven's jars (tools/kafka).
Where none of them is at hand the tests are skipped, and with the environment variable `CI` set they fail.
Loaded as a pytest plugin by tests/conftest.py, which makes its fixtures known everywhere.
"""

import asyncio
import os
import secrets
from contextlib import ExitStack

import pytest

from tools.kafka.broker import Broker
from tools.kafka.choice import NoBrokerError, shared_broker
from tools.kafka.jars import obtainable
from tools.kafka.listeners import Listener

USERS = {"alice": "wonder-land", "bob": "builds"}
LISTENERS = (
    Listener("tls", tls=True),
    Listener("mtls", tls=True, client_certificates=True),
    Listener("plain", mechanism="PLAIN"),
    Listener("scram", tls=True, mechanism="SCRAM-SHA-256"),
    Listener("scram512", tls=True, mechanism="SCRAM-SHA-512"),
    Listener("oauth", tls=True, mechanism="OAUTHBEARER"),
)


def missing(what):
    """Skip the test on a laptop, fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def _have_jars():
    if not obtainable():
        missing("no broker of our own: install Java and Maven (apt-get install default-jre-headless maven)")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """Return the address of a broker that all tests share; see `prefix`."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(shared_broker(tmp_path_factory.mktemp("kafka")))
        except NoBrokerError as error:
            missing(str(error))
        yield address


@pytest.fixture
def prefix(kafka):
    """Return a fresh prefix of topics; those that bear it are deleted after the test."""
    fresh = f"test-{secrets.token_hex(5)}."
    yield fresh
    asyncio.run(delete_topics(kafka, fresh))


async def delete_topics(bootstrap, prefix):
    """Delete the topics whose names begin with `prefix`."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaConnectionError

    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
    except KafkaConnectionError:  # the test itself will have said that the broker is gone
        await client.close()
        return
    try:
        found = [topic for topic in await client.list_topics() if topic.startswith(prefix)]
        if found:
            await client.delete_topics(found, timeout_ms=10_000)
    finally:
        await client.close()


@pytest.fixture
def own_broker(tmp_path_factory):
    """Return a function that starts a broker for this test alone; it takes what `Broker` takes."""
    _have_jars()
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Broker(tmp_path_factory.mktemp("kafka"), **options))


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory):
    """Return a broker with a door for each of `LISTENERS` and for `USERS`; plaintext at its `bootstrap`."""
    _have_jars()
    with Broker(tmp_path_factory.mktemp("kafka"), listeners=LISTENERS, users=USERS) as broker:
        yield broker
