"""What no emitter of ours sends: the stream goes on, all of it is counted, and lies among the dead letters once."""

import asyncio
import json
import random
import signal
import time
from collections import Counter

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from msgspec.structs import replace

from qml_daemon.worker.process import CRASHED
from quantum_mlops.codec import encode
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.records import Entry, encode_event
from quantum_mlops.transports.partitioning import partition_of
from tests.kafka.chaos import judge, tell
from tests.kafka.counting import read_counts
from tests.kafka.crew import PARTITIONS, Crew, place
from tests.kafka.derived import collect, compare, read_stream
from tests.kafka.raising import OPEN, POISON
from tests.kafka.story import START, tell_truth

EVENTS = 3_000
SEED = 4
LIMIT = 64 * 1024

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tale():
    return tell(SEED, EVENTS)


@pytest.fixture
def crew(tmp_path, kafka, prefix):
    with Crew(tmp_path, kafka, prefix, batch=150) as crew:
        yield crew


def metric(number, values, project="iris", **more):
    return Event(
        id=f"{number:016x}", source="qml://lab/0a1b2c3d4e5f/1", type=type_name("metric.logged"), time=START,
        partitionkey=project, project=project, context=Context(runid="run"), data=MetricLogged(values=values), **more,
    )  # fmt: skip


def letters(crew):
    return read_stream(crew.log, Stream.DEAD_LETTERS)


def wire(**changes):
    """Return an event's JSON with something changed in it."""
    return json.dumps(json.loads(encode(metric(1, {"loss": 1.0}))) | changes).encode()


NO_EVENTS = {
    "empty": b"",
    "not utf-8": b"\xff\xfe\xfd" * 100,
    "half an object": wire()[:-20],
    "another object": b'{"hello":"world"}',
    "a number": b"17",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "wrong data": wire(data={"values": "none"}),
    "wrong time": wire(time="yesterday"),
    "wrong ingestedtime": wire(ingestedtime="9999999-01-01T00:00:00Z"),
    "another version": wire(specversion="0.3"),
    "oversized": wire(data={"values": {"loss": 1.0}, "tags": "x" * 900_000}),
    "zeros": b"\x00" * 500_000,
}


def test_no_events_at_all_are_buried_once_and_the_stream_goes_on(crew, tale):
    poison = list(NO_EVENTS.values())
    random.Random(SEED).shuffle(poison)
    for at, value in enumerate(poison):
        crew.send(tale.items[at * 200 : (at + 1) * 200])
        crew.send_entries([(at % PARTITIONS, Entry(None if at % 2 else b"\xff", value, [("content-type", b"\xff")]))])
    crew.send_entries([(0, Entry(b"k", None, []))])  # a tombstone
    crew.send(tale.items[len(poison) * 200 :])
    crew.start()
    crew.finish()
    assert crew.ended == []
    compare(collect(crew.log), tale.expected)
    garbage = [item for item in tale.items if isinstance(item, bytes)]
    assert Counter(letter.data for letter in letters(crew)) == Counter([*poison, b"", *garbage])
    assert all(letter.origin == "log" and letter.reason for letter in letters(crew))


def test_a_record_that_unpacks_to_more_than_a_dead_letter_may_hold_does_not_stop_the_stream(crew, tale, kafka):
    async def send_bomb():
        async with AIOKafkaProducer(
            bootstrap_servers=kafka, compression_type="lz4", max_request_size=2**26
        ) as producer:
            await producer.send_and_wait(crew.log.topics.events, b"\x00" * (30 * 2**20), partition=1)

    crew.send(tale.items[:500])
    asyncio.run(send_bomb())
    crew.send(tale.items[500:])
    crew.start()
    crew.finish()
    assert crew.ended == []
    compare(collect(crew.log), tale.expected)
    bomb = [letter for letter in letters(crew) if len(letter.data) > 600_000]
    assert len(bomb) == 1
    assert f"{30 * 2**20} bytes" in bomb[0].reason


def test_a_processor_that_raises_is_reset_and_the_others_never_see_it(crew):
    events = [metric(number, {"loss": 0.5}, ingestedtime=START + number) for number in range(300)]
    for number, name in ((50, OPEN), (100, POISON), (101, POISON), (150, OPEN), (200, POISON)):
        events[number] = metric(number, {name: 1.0}, ingestedtime=START + number)
    crew.send(events)
    crew.start(raising=True)
    crew.finish()
    assert crew.ended == []
    found = letters(crew)
    assert [letter.origin for letter in found] == ["processor:raising"] * 3
    assert [letter.key[1] for letter in found] == [f"{number:016x}" for number in (100, 101, 200)]
    findings = read_stream(crew.log, Stream.FINDINGS)
    seen = [(event.type.split(".")[-2], event.data.reason) for event in findings if event.data.rule == "Seen"]
    assert seen == [("opened", None), ("closed", "reset"), ("opened", None), ("closed", "reset")]
    assert sum(event.data.rule == "ProcessorError/raising" for event in findings) >= 1


def test_a_raising_processors_partition_is_recovered_with_all_it_went_through(crew):
    """A worker is killed after the reset: the next one has the same states."""
    names = {70: OPEN, 100: POISON, 300: OPEN}
    events = [metric(n, {names.get(n, "loss"): 0.5}, ingestedtime=START + n) for n in range(900)]
    crew.send(events)
    (hand,) = crew.start(raising=True, batch=50, instance="one", fault_step="after commit", fault_number=9)
    assert hand.wait(60).code == -signal.SIGKILL
    crew.drop(hand)
    crew.start(raising=True, batch=50, instance="one")
    crew.finish()
    seen = [event.type.split(".")[-2] for event in read_stream(crew.log, Stream.FINDINGS) if event.data.rule == "Seen"]
    assert seen == ["opened", "closed", "opened"]
    assert [letter.key[1] for letter in letters(crew)] == [f"{100:016x}"]


def test_events_in_the_wrong_partition_are_sent_on_and_counted_once(crew):
    events = [metric(number, {"loss": 0.5}, project) for number in range(400) for project in ("iris", "h2", "lih")]
    crew.send_entries(
        ((partition_of(event.partitionkey, PARTITIONS) + (number % 3 == 0)) % PARTITIONS, encode_event(event))
        for number, event in enumerate(events)
    )
    (hand,) = crew.start(fault_step="before commit", fault_number=4)
    assert hand.wait(60).code == -signal.SIGKILL
    crew.drop(hand)
    crew.start()
    crew.finish()
    assert len(read_stream(crew.log, Stream.EVENTS)) == 1200 + 400
    assert read_counts(collect(crew.log).states) == tell_truth(events)
    assert letters(crew) == []


def test_a_misplaced_event_that_grows_over_the_limit_on_its_way_does_not_stop_the_stream(crew):
    """Its bytes are within what is read, and the same event written our way is over what may be written."""
    names = {f"m{number}": 1e5 for number in range(4_000)}
    body = encode(metric(1, names)).replace(b"100000.0", b"1e5")
    home = partition_of("iris", PARTITIONS)
    assert len(body) < LIMIT
    assert len(encode(metric(1, names))) > LIMIT
    crew.send_entries([((home + 1) % PARTITIONS, Entry(b"iris", body, []))])
    crew.send([metric(number, {"loss": 0.5}) for number in range(2, 50)])
    crew.start()
    crew.finish()
    assert crew.ended == []
    (letter,) = letters(crew)
    assert letter.data.startswith(b'{"id":"0000000000000001"'), letter.data[:200]
    assert "too large" in letter.reason
    assert read_counts(collect(crew.log).states)["iris"].events == 48


def test_markers_of_transactions_and_what_was_aborted_are_passed_over(crew, tale, kafka):
    async def write(items, number):
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{crew.settings.topic_prefix}{number}")
        async with producer:
            await producer.begin_transaction()
            for item in items:
                for partition, entry in place(item, 0):
                    await producer.send(crew.log.topics.events, entry.value, key=entry.key, partition=partition)
            await producer.flush()
            await (producer.abort_transaction() if number % 2 else producer.commit_transaction())

    stranger = [metric(number, {"loss": 9.0}, ingestedtime=START) for number in range(5_000, 5_040)]
    for number, at in enumerate(range(0, len(tale.items), 500)):
        asyncio.run(write(stranger, 2 * number + 1))
        asyncio.run(write(tale.items[at : at + 500], 2 * number))
    crew.start()
    crew.finish()
    assert crew.ended == []
    judge(crew, tale)


async def delete(kafka, topic, until):
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    try:
        await client.delete_records({TopicPartition(topic, n): RecordsToDelete(at) for n, at in until.items()})
    finally:
        await client.close()


def lose_half(crew, kafka, items):
    """Send items and delete the older half of them; return where partitions stood before, and where they start now."""
    reached = [crew.reached(partition) for partition in range(PARTITIONS)]
    crew.send(items)
    ends = [crew.log.end(Stream.EVENTS, partition) for partition in range(PARTITIONS)]
    lost = {n: (reached[n] + ends[n]) // 2 for n in range(PARTITIONS) if ends[n] > reached[n] + 10}
    asyncio.run(delete(kafka, crew.log.topics.events, lost))
    return reached, lost


def assert_loss_is_said(crew, reached, lost):
    findings = [event for event in read_stream(crew.log, Stream.FINDINGS) if event.data.rule == "DataLoss"]
    said = [event.data for event in findings if event.type.endswith(".opened.v1")]
    assert sorted(int(data.labels["partition"]) for data in said) == sorted(lost)
    for data in said:
        partition = int(data.labels["partition"])
        assert data.values["first_offset"] <= reached[partition]
        assert data.values["next_offset"] == lost[partition]
        assert data.values["unprocessed"] == lost[partition] - reached[partition]


def test_what_retention_took_before_it_was_read_is_said_and_the_stream_goes_on(crew, tale, kafka):
    half = len(tale.items) // 2
    crew.send(tale.items[:half])
    crew.start()
    crew.finish()
    reached, lost = lose_half(crew, kafka, tale.items[half:])
    crew.start()
    crew.finish()
    assert crew.ended == []
    assert_loss_is_said(crew, reached, lost)


@pytest.mark.parametrize("engine", ["aiokafka", "faust"])
def test_what_retention_takes_from_a_worker_that_is_too_slow_is_said_and_the_stream_goes_on(crew, tale, kafka, engine):
    half = len(tale.items) // 2
    (hand,) = crew.start(engine=engine)
    crew.send(tale.items[:half])
    crew.wait_until(lambda: crew.is_settled(), "the first half is processed")
    hand.signal(signal.SIGSTOP)
    time.sleep(1.5)  # its fetch that is under way has been answered
    reached, lost = lose_half(crew, kafka, tale.items[half:])
    hand.signal(signal.SIGCONT)
    crew.finish()
    assert crew.ended == []
    assert_loss_is_said(crew, reached, lost)


def test_dead_letters_and_the_watermark_become_visible_together(crew):
    crew.send([metric(number, {"loss": 0.5}) for number in range(20)])
    home = partition_of("iris", PARTITIONS)
    crew.send_entries([(home, Entry(b"k", b"junk", []))])
    (hand,) = crew.start(fault_step="before commit", fault_signal=int(signal.SIGSTOP))
    crew.wait_until(hand.is_stopped, "it hangs in its transaction", tend=False)
    assert letters(crew) == []
    assert crew.reached(home) == 0
    crew.drop(hand)
    crew.start()
    crew.finish()
    assert [letter.data for letter in letters(crew)] == [b"junk"]
    hand.signal(signal.SIGCONT)
    assert hand.wait().code == CRASHED
    assert [letter.data for letter in letters(crew)] == [b"junk"]
    assert replace(letters(crew)[0], time=0).partition == home
