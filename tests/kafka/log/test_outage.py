"""No broker, no topics, the wrong ones, and a broker that goes away: one line in time, and the log goes on."""

import asyncio
import logging
import socket
import time

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create


def test_no_broker_is_told_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = KafkaSettings(bootstrap_servers=(f"127.0.0.1:{free.getsockname()[1]}",))
    began = time.monotonic()
    with pytest.raises(LogError, match=r"^Kafka at 127.0.0.1:\d+: signing in: cannot be reached: .*$") as caught:
        KafkaLog(settings)
    assert time.monotonic() - began < 5
    assert "\n" not in str(caught.value)


def test_somebody_who_takes_the_connection_and_never_answers_is_told_in_time():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(LogError, match="signing in"):
            KafkaLog(KafkaSettings(bootstrap_servers=(f"127.0.0.1:{mute.getsockname()[1]}",)))
        assert time.monotonic() - began < 30


def test_missing_topics_are_told_with_the_mend(kafka, prefix):
    with pytest.raises(ConfigError, match=rf"Kafka has no topic {prefix}events.v1, .*mend: quantum-mlops kafka init"):
        KafkaLog(KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix))


def test_the_wrong_number_of_partitions_is_told(settings):
    with pytest.raises(ConfigError, match="events.v1 has 3 partitions and kafka.partitions says 12"):
        KafkaLog(msgspec.structs.replace(settings, partitions=12))


def test_topics_that_do_not_fit_each_other_are_told(kafka, prefix):
    settings = KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix)

    async def make():
        client = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await client.start()
        await client.create_topics([NewTopic(Topics(prefix).findings, 2, 1)])
        await client.close()

    asyncio.run(make())
    asyncio.run(create(settings, 3))
    with pytest.raises(ConfigError, match=r"findings.v1 has 2 partitions, .*events.v1 has 3; they must be equal"):
        KafkaLog(settings)


@pytest.mark.timeout(180)
def test_a_broker_that_goes_away_and_comes_back(own_broker, tick, caplog):
    broker = own_broker()
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,), topic_prefix="out.")
    asyncio.run(create(settings, 2))
    log = KafkaLog(settings)
    log._loop.timeout_seconds = 4.0
    try:
        log.append([tick(1)], partition=0)
        log.append([tick(2)], partition=1, cursors={"position": b"2"})
        log.commit(0, Commit(watermark=b"1", rows={b"a": b"1"}))
        broker.kill()
        caplog.set_level(logging.DEBUG)
        for refused in (
            lambda: log.append([tick(3)], partition=0),
            lambda: log.append([tick(4)], partition=1, cursors={"position": b"4"}),
            lambda: log.commit(0, Commit(watermark=b"2")),
            lambda: log.read(Stream.EVENTS, 0, 0, 10),
            lambda: log.cursor("position"),
            lambda: log.checkpoint(0),
        ):
            began = time.monotonic()
            with pytest.raises(LogError) as caught:
                refused()
            assert time.monotonic() - began < 15
            assert "\n" not in str(caught.value)
        said = [record for record in caplog.records if record.name == "quantum_mlops.kafka"]
        assert 0 < len(said) < 30, "nothing, or a flood of the client's messages"
        assert not any(record.exc_info for record in said)
        broker.start()
        log._loop.timeout_seconds = 30.0
        with pytest.raises(LogError, match="read its checkpoint first"):
            log.commit(0, Commit(watermark=b"2"))
        assert log.checkpoint(0).rows == {b"a": b"1"}
        log.append([tick(5)], partition=0)
        log.append([tick(6)], partition=1, cursors={"position": b"6"})
        log.commit(0, Commit(watermark=b"3"))
        assert log.checkpoint(0).watermark == b"3"
        assert log.cursor("position") == b"6"
        # What was given up stays given up: nothing of it arrives once the broker is back.
        assert [record.event.time for record in log.read(Stream.EVENTS, 0, 0, 10)] == [1, 5]
        assert [record.event.time for record in log.read(Stream.EVENTS, 1, 0, 10)] == [2, 6]
    finally:
        log.close()
