"""Logs on fresh topics, and events to put into them."""

import asyncio

import pytest

from quantum_mlops.events import Event, Tick, type_name
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import create


@pytest.fixture
def tick():
    def make(number, key="iris", **more):
        return Event(
            id=f"{number:016x}", source="qml://host/0123456789ab/0", type=type_name("tick"), time=number,
            partitionkey=key, project=key, data=Tick(), **more,
        )  # fmt: skip

    return make


@pytest.fixture
def settings(kafka, prefix):
    """Settings of a broker with topics of three partitions; compaction at once."""
    found = KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix)
    asyncio.run(create(found, 3))
    return found


@pytest.fixture
def open_log(settings):
    logs = []

    def open_log(**more):
        logs.append(KafkaLog(settings, **more))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


@pytest.fixture
def produce(kafka):
    """Return a function that writes values as a stranger does; with a transactional id, the end of it is named."""
    from aiokafka import AIOKafkaProducer

    async def write(topic, values, partition, transactional_id, abort):
        async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=transactional_id, acks="all") as producer:
            if transactional_id:
                await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(topic, value, key=b"k", partition=partition)
            if transactional_id:
                await (producer.abort_transaction() if abort else producer.commit_transaction())

    def produce(topic, values, partition=0, transactional_id=None, abort=False):
        asyncio.run(write(topic, values, partition, transactional_id, abort))

    return produce
