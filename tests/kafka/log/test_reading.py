"""Reading what others left: garbage, markers, aborted transactions, holes and a start that moved."""

import asyncio
import threading
import time

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.transports.base import Commit, Stream, Undecodable
from quantum_mlops.transports.kafka.topics import Topics
from tests.waiting import wait_for


def test_garbage_is_undecodable_and_the_stream_goes_on(open_log, settings, produce, tick):
    topic = Topics(settings.topic_prefix).events
    over = b'{"x":"' + b"y" * (MAX_EVENT_BYTES + 2000) + b'"}'
    produce(topic, [b"\x00\xff", over, None, encode(tick(7))])
    records = open_log().read(Stream.EVENTS, 0, 0, 10)
    assert [type(record.event) for record in records[:3]] == [Undecodable] * 3
    assert records[0].event.data == b"\x00\xff"
    assert records[1].event.data == over
    assert "over the limit" in records[1].event.reason
    assert records[2].event == Undecodable(b"", "a record without a value")
    assert records[3].event.time == 7
    assert all(record.ingestedtime > 0 for record in records)


def test_what_was_aborted_is_never_seen_and_the_end_is_reached(open_log, settings, produce, tick):
    log, topic = open_log(), Topics(settings.topic_prefix).events
    produce(topic, [encode(tick(number)) for number in range(5)], transactional_id="t", abort=True)
    _wait_for_marker(log, 6)
    began = time.monotonic()
    assert log.read(Stream.EVENTS, 0, 0, 10) == []
    assert log.end(Stream.EVENTS, 0) == 6  # five records and a marker
    assert log.read(Stream.EVENTS, 0, 6, 10) == []
    produce(topic, [encode(tick(number)) for number in (7, 8)], transactional_id="t")
    _wait_for_marker(log, 9)
    assert [(record.offset, record.event.time) for record in log.read(Stream.EVENTS, 0, 0, 10)] == [(6, 7), (7, 8)]
    assert (log.end(Stream.EVENTS, 0), log.read(Stream.EVENTS, 0, 8, 10)) == (9, [])
    assert time.monotonic() - began < 5


def _wait_for_marker(log, end):
    """A stranger's commit returns before its marker is written; only for its own commits does a log wait for it."""
    wait_for(lambda: log.end(Stream.EVENTS, 0) == end, f"the end of the events at {end}")


def test_an_open_transaction_is_not_seen_and_nobody_waits_for_it(open_log, tick):
    seen = []

    def look(step):
        if step == "sent":
            seen.extend((onlooker.read(Stream.FINDINGS, 0, 0, 10), onlooker.end(Stream.FINDINGS, 0)))

    onlooker, log = open_log(), open_log(fault=look)
    log.commit(0, Commit(watermark=b"w", findings=[tick(1)]))
    assert seen == [[], 0]
    assert log.end(Stream.FINDINGS, 0) == 2  # it waits for its own marker
    assert onlooker.end(Stream.FINDINGS, 0) == 2


def test_reading_begins_where_the_log_begins(open_log, settings, kafka, tick):
    log, topic = open_log(), Topics(settings.topic_prefix).events
    log.append([tick(number) for number in range(10)], partition=0)

    async def remove():
        client = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await client.start()
        await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=4)})
        await client.close()

    asyncio.run(remove())
    assert (log.start(Stream.EVENTS, 0), log.end(Stream.EVENTS, 0)) == (4, 10)
    assert [record.offset for record in log.read(Stream.EVENTS, 0, 0, 100)] == [4, 5, 6, 7, 8, 9]
    assert log.read(Stream.EVENTS, 0, 1_000_000, 10) == []


def test_the_end_may_be_known_for_a_while(open_log, tick):
    log, other = open_log(), open_log()
    assert log.read(Stream.EVENTS, 0, 0, 10) == []
    other.append([tick(1)], partition=0)
    assert log.read(Stream.EVENTS, 0, 0, 10, freshness_seconds=60) == []
    assert len(log.read(Stream.EVENTS, 0, 0, 10)) == 1


def test_an_append_over_several_batches_and_partitions_is_whole(open_log, tick):
    log = open_log()
    events = [tick(number, f"project-{number % 7}") for number in range(4000)]
    log.append(events)
    found = []
    for partition in range(3):
        offset = 0
        while records := log.read(Stream.EVENTS, partition, offset, 700):
            found += [record.event.time for record in records]
            offset = records[-1].offset + 1
    assert sorted(found) == list(range(4000))


def test_a_row_may_be_far_larger_than_an_event(open_log):
    log = open_log()
    rows = {b"small": b"1", b"large": bytes(range(256)) * 40_000, b"last": b"2"}
    log.commit(0, Commit(watermark=b"w", rows=rows))
    assert log.checkpoint(0).rows == rows


def test_many_threads_read_by_one_client(open_log, tick):
    log = open_log()
    log.append([tick(number, f"project-{number % 7}") for number in range(300)])
    log._loop.run(log._fetcher.close(), "closing")  # all find no connection at once
    found = {}

    def read(partition):
        records, offset = [], 0
        while page := log.read(Stream.EVENTS, partition, offset, 11):
            records += page
            offset = page[-1].offset + 1
        found[partition] = [record.event.time for record in records]

    threads = [threading.Thread(target=read, args=(partition,)) for partition in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(number for numbers in found.values() for number in numbers) == list(range(300))
    assert all(numbers == sorted(numbers) for numbers in found.values())
