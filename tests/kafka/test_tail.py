"""Reading along on a real Kafka: everything once and in order, from where the reader is, and nothing uncommitted."""

import pytest

from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.tail import AHEAD, Tail
from quantum_mlops.transports.kafka.topics import create
from tests.waiting import wait_for

PARTITIONS = 3


@pytest.fixture
def settings(kafka, prefix):
    made = KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix, partitions=PARTITIONS)
    loop = KafkaLoop(made.servers)
    loop.run(create(made, PARTITIONS), "making topics")
    loop.close()
    return made


@pytest.fixture
def log(settings):
    made = KafkaLog(settings, writer="test")
    yield made
    made.close()


@pytest.fixture
def tail(settings):
    loop = KafkaLoop(settings.servers)
    made = Tail(loop, settings, PARTITIONS)
    yield made
    made.close()
    loop.close()


def metric(number):
    return Event(
        id=f"{number:016x}",
        source="qml://host/a/0",
        type=type_name("metric.logged"),
        time=number,
        partitionkey="iris",
        project="iris",
        data=MetricLogged(values={"accuracy": float(number)}),
    )


class Reader:
    """Goes on from where it is, as the follower does."""

    def __init__(self, tail, stream, partition, offset=0):
        self.tail, self.place, self.offset = tail, (stream, partition), offset
        self.ids = []

    def look(self):
        records = self.tail.read(*self.place, self.offset, 100)
        self.ids += [int(record.event.id, 16) for record in records]
        if records:
            self.offset = records[-1].offset + 1
        return len(self.ids)


def test_every_record_is_shown_once_in_the_order_of_its_partition(log, tail):
    readers = [Reader(tail, Stream.EVENTS, number) for number in range(PARTITIONS)]
    for first in (0, 300):
        for number in range(PARTITIONS):
            log.append([metric(one) for one in range(first, first + 300)], partition=number)
        wait_for(lambda first=first: sum(one.look() for one in readers) >= PARTITIONS * (first + 300), "all records")
    assert [one.ids for one in readers] == [list(range(600))] * PARTITIONS
    assert all(one.look() == 600 for one in readers)


def test_a_reader_that_goes_back_is_shown_the_same_again(log, tail):
    log.append([metric(one) for one in range(50)], partition=1)
    reader = Reader(tail, Stream.EVENTS, 1)
    wait_for(lambda: reader.look() == 50, "all records")
    again = Reader(tail, Stream.EVENTS, 1, offset=10)
    wait_for(lambda: again.look() == 40, "the records again")
    assert again.ids == list(range(10, 50))


def test_one_that_is_far_behind_holds_a_bounded_number_of_records(log, tail):
    for first in range(0, 4 * AHEAD, 500):
        log.append([metric(one) for one in range(first, first + 500)], partition=0)
    reader = Reader(tail, Stream.EVENTS, 0)
    shelf = tail._shelves
    wait_for(lambda: reader.look() >= 0 and shelf and len(next(iter(shelf.values())).records) >= AHEAD, "a full shelf")
    assert len(next(iter(shelf.values())).records) < AHEAD + 1000
    wait_for(lambda: reader.look() == 4 * AHEAD, "all records")
    assert reader.ids == list(range(4 * AHEAD))


def test_what_a_worker_committed_is_shown_and_its_markers_are_no_lag(log, tail):
    reader = Reader(tail, Stream.FINDINGS, 2)
    for number in range(5):
        log.commit(2, Commit(findings=[metric(number)], watermark=b"w"))
    wait_for(lambda: reader.look() == 5, "all findings")
    assert log.end(Stream.FINDINGS, 2) > reader.offset
    wait_for(lambda: reader.look() and tail.end(Stream.FINDINGS, 2) == reader.offset, "no lag")


def test_one_begins_at_the_start_where_retention_took_the_beginning(log, tail, settings):
    log.append([metric(one) for one in range(20)], partition=0)
    loop = KafkaLoop(settings.servers)
    loop.run(_delete_before(settings, f"{settings.topic_prefix}events.v1", 12), "deleting")
    loop.close()
    reader = Reader(tail, Stream.EVENTS, 0)
    wait_for(lambda: reader.look() == 8, "what is left")
    assert reader.ids == list(range(12, 20))


async def _delete_before(settings, topic, offset):
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    client = AIOKafkaAdminClient(**settings.client_arguments())
    await client.start()
    try:
        await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await client.close()


def test_a_topic_that_was_made_anew_under_a_reader_is_an_error_and_no_silence(log, tail):
    """Else nothing would be shown until the new topic is as long as the old one was."""
    log.append([metric(number) for number in range(3)], partition=0)
    reader = Reader(tail, Stream.EVENTS, 0, offset=100)
    found = []

    def fails():
        try:
            reader.look()
        except LogError as error:
            found.append(str(error))
        return found

    wait_for(fails, "the error")
    assert "events.v1 partition 0 ends at offset 3, before 100, which was read" in found[0]
    assert reader.ids == []
