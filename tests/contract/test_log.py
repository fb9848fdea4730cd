"""What every log promises, run over each implementation that is registered as an entry point."""

import asyncio
import inspect
import threading
from importlib.metadata import entry_points

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import EventTooLargeError, LogError
from quantum_mlops.events import ConfigApplied, Event, Tick, UnknownData, type_name
from quantum_mlops.transports.base import Checkpoint, Commit, DeadLetter, Stream

IMPLEMENTATIONS = sorted(entry_points(group="quantum_mlops.transports"), key=lambda entry: entry.name)
KAFKA = "kafka"
CASES = [
    pytest.param(
        (entry, partitions), id=f"{entry.name}-{partitions}", marks=[pytest.mark.kafka] * (entry.name == KAFKA)
    )
    for entry in IMPLEMENTATIONS
    for partitions in (1, 3)
]
# A broker keeps its own time and removes by the settings of its topics: tests/kafka/log/test_times.py.
OURS = [case for case in CASES if not case.marks]
ALL = 1 << 50


def test_memory_sqlite_and_kafka_are_registered():
    assert {"memory", "sqlite", KAFKA} <= {entry.name for entry in IMPLEMENTATIONS}


@pytest.fixture
def clock():
    return ManualClock(1000 * SECOND)


@pytest.fixture(params=CASES)
def log(request, tmp_path, clock):
    entry, partitions = request.param
    log = (
        open_kafka(request, entry, partitions, clock)
        if entry.name == KAFKA
        else open_ours(entry, partitions, tmp_path, clock)
    )
    yield log
    log.close()


@pytest.fixture(params=OURS)
def our_log(request, tmp_path, clock):
    """A log that keeps the caller's time and removes old records itself."""
    log = open_ours(*request.param, tmp_path, clock)
    yield log
    log.close()


def open_ours(entry, partitions, folder, clock):
    implementation = entry.load()
    arguments = {"path": folder / "log"} if "path" in inspect.signature(implementation).parameters else {}
    return implementation(**arguments, partitions=partitions, clock=clock)


def open_kafka(request, entry, partitions, clock):
    from quantum_mlops.transports.kafka.settings import KafkaSettings
    from quantum_mlops.transports.kafka.topics import create

    servers = request.getfixturevalue("kafka")
    settings = KafkaSettings(bootstrap_servers=(servers,), topic_prefix=request.getfixturevalue("prefix"))
    asyncio.run(create(settings, partitions))
    return entry.load()(settings, clock)


def tick(number, key="iris", ingestedtime=None):
    return Event(
        id=f"{number:016x}", source="qml://host/0123456789ab/0", type=type_name("tick"), time=number,
        partitionkey=key, project=key, ingestedtime=ingestedtime, data=Tick(),
    )  # fmt: skip


def config(number):
    data = ConfigApplied(effective=0, hash="h", rules=Rules())
    return msgspec.structs.replace(tick(number), type=type_name("config.applied"), data=data)


def read_all(log, stream=Stream.EVENTS, partition=0, page=2):
    records, offset = [], 0
    while found := log.read(stream, partition, offset, page):
        records += found
        offset = found[-1].offset + 1
    return records


def ids(records):
    return [int(record.event.id, 16) for record in records]


def home(log, key="iris"):
    return log.partition_of(key)


def test_records_come_back_in_order_whatever_the_page(log):
    log.append([tick(number) for number in range(7)])
    for page in (1, 2, 3, 100):
        records = read_all(log, partition=home(log), page=page)
        assert ids(records) == list(range(7))
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets))


def test_a_record_is_the_event_with_its_ingestedtime(log):
    log.append([tick(1)])
    (record,) = read_all(log, partition=home(log))
    assert record.ingestedtime == record.event.ingestedtime > 0
    assert msgspec.structs.replace(record.event, ingestedtime=None) == tick(1)


def test_any_event_of_the_contract_comes_back_as_it_was(log, any_event):
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(any_event)
    def check(event):
        event = msgspec.structs.replace(event, ingestedtime=None)
        partition = log.partition_of(event.partitionkey)
        offset = log.end(Stream.EVENTS, partition)
        log.append([event])
        (record,) = log.read(Stream.EVENTS, partition, offset, 10)
        assert msgspec.structs.replace(record.event, ingestedtime=None) == event

    check()


def test_every_partition_takes_its_keys_and_keeps_their_order(log):
    keys = [f"project-{number % 11}" for number in range(100)]
    log.append([tick(number, key) for number, key in enumerate(keys)])
    found = []
    for partition in range(log.partitions):
        records = read_all(log, partition=partition, page=7)
        assert all(log.partition_of(record.event.partitionkey) == partition for record in records)
        assert ids(records) == sorted(ids(records))
        found += ids(records)
    assert sorted(found) == list(range(100))


def test_a_partition_named_by_the_caller_wins_over_the_key(log):
    for partition in range(log.partitions):
        log.append([tick(partition)], partition=partition)
        assert ids(read_all(log, partition=partition)) == [partition]


def test_a_partition_that_is_not_there_is_refused(log):
    with pytest.raises(LogError, match="no partition 9"):
        log.append([tick(1)], partition=9)
    for refused in (log.end, log.start):
        with pytest.raises(LogError, match="no partition 9"):
            refused(Stream.EVENTS, 9)
    with pytest.raises(LogError, match="no partition 9"):
        log.read(Stream.EVENTS, 9, 0, 1)
    with pytest.raises(LogError, match="no partition 9"):
        log.commit(9, Commit(watermark=b""))
    with pytest.raises(LogError, match="no partition 9"):
        log.checkpoint(9)
    assert all(log.end(Stream.EVENTS, partition) == 0 for partition in range(log.partitions))


def test_reading_past_the_end_is_empty_and_does_not_block(log):
    assert log.read(Stream.EVENTS, 0, 0, 10) == []
    log.append([tick(1)], partition=0)
    assert log.read(Stream.EVENTS, 0, log.end(Stream.EVENTS, 0), 10) == []


def test_an_event_too_large_leaves_nothing_of_its_batch(log):
    base = msgspec.structs.replace(tick(1), type="com.example", data=UnknownData(msgspec.Raw(b'""')))
    room = MAX_EVENT_BYTES - len(encode(base))
    fits = msgspec.structs.replace(base, data=UnknownData(msgspec.Raw(b'"%b"' % (b"x" * room))))
    over = msgspec.structs.replace(base, data=UnknownData(msgspec.Raw(b'"%b"' % (b"x" * (room + 1)))))
    with pytest.raises(EventTooLargeError) as caught:
        log.append([tick(0), over], cursors={"a": b"1"}, dead_letters=[DeadLetter(data=b"", reason="r", origin="o")])
    assert caught.value.size_bytes == MAX_EVENT_BYTES + 1
    assert read_all(log, partition=home(log)) == []
    assert read_all(log, Stream.DEAD_LETTERS) == []
    assert log.cursor("a") is None
    log.append([fits])
    assert ids(read_all(log, partition=home(log))) == [1]
    # An export carries the ingestedtime; the limit must not then refuse what it took before.
    log.append([read_all(log, partition=home(log))[0].event])
    assert len(read_all(log, partition=home(log))) == 2


def test_cursors_move_with_the_append_and_are_found_by_prefix(log):
    log.append([tick(1)], cursors={"spool/a": b"\x01", "spool/b": b"\x02", "other": b"\x00\xff"})
    assert log.cursor("spool/a") == b"\x01"
    assert log.cursors("spool/") == {"spool/a": b"\x01", "spool/b": b"\x02"}
    log.append([], cursors={"spool/a": None})
    log.move_cursors({"spool/b": b"\x03", "spo%": b"x", "never": None})
    assert log.cursors("spo") == {"spool/b": b"\x03", "spo%": b"x"}
    assert log.cursor("never") is None
    assert log.cursors("") == {"spool/b": b"\x03", "spo%": b"x", "other": b"\x00\xff"}


def test_dead_letters_come_back_whole_with_the_logs_time_and_place(log, clock):
    last = log.partitions - 1
    letter = DeadLetter(data=b"\x00\xff{", reason="no event", origin="spool", partition=last, key=("s", "1"))
    log.append([], dead_letters=[letter, msgspec.structs.replace(letter, time=7)])
    first, second = read_all(log, Stream.DEAD_LETTERS, last)
    assert first.event == msgspec.structs.replace(letter, time=clock())
    assert second.event.time == 7


def test_a_commit_is_seen_whole(log):
    letter = DeadLetter(data=b"x", reason="r", origin="processor:drift")
    last = log.partitions - 1
    log.commit(
        last,
        Commit(
            findings=[tick(1)], summaries=[tick(2), tick(3)], dead_letters=[letter], watermark=b"w1",
            rows={b"a": b"1", b"b": b"2", b"\x00": b""},
        ),
    )  # fmt: skip
    assert ids(read_all(log, Stream.FINDINGS, last)) == [1]
    assert ids(read_all(log, Stream.SUMMARIES, last)) == [2, 3]
    assert read_all(log, Stream.DEAD_LETTERS, last)[0].event.partition == last
    assert log.read(Stream.EVENTS, last, 0, 10) == []
    assert log.checkpoint(last) == Checkpoint(watermark=b"w1", rows={b"a": b"1", b"b": b"2", b"\x00": b""})
    log.commit(last, Commit(watermark=b"w2", rows={b"a": None, b"b": b"3", b"never": None}))
    assert log.checkpoint(last) == Checkpoint(watermark=b"w2", rows={b"b": b"3", b"\x00": b""})


def test_a_partition_without_a_commit_has_no_watermark(log):
    log.commit(0, Commit(watermark=b"w"))
    for partition in range(1, log.partitions):
        assert log.checkpoint(partition) == Checkpoint()


def test_a_commit_that_is_refused_changes_nothing(log):
    log.commit(0, Commit(watermark=b"w1", rows={b"a": b"1"}))
    big = msgspec.structs.replace(
        tick(1), type="com.example", data=UnknownData(msgspec.Raw(b'"%b"' % (b"x" * MAX_EVENT_BYTES)))
    )
    with pytest.raises(EventTooLargeError):
        log.commit(0, Commit(findings=[tick(0), big], watermark=b"w2", rows={b"a": b"2"}))
    assert log.checkpoint(0) == Checkpoint(watermark=b"w1", rows={b"a": b"1"})
    assert log.read(Stream.FINDINGS, 0, 0, 10) == []


def test_another_thread_reads_while_one_writes(log):
    partition = home(log)
    seen: list[int] = []

    def read():
        offset = 0
        while len(seen) < 500:
            for record in log.read(Stream.EVENTS, partition, offset, 50):
                seen.append(int(record.event.id, 16))
                offset = record.offset + 1
            log.cursor("position")

    thread = threading.Thread(target=read)
    thread.start()
    for start in range(0, 500, 5):
        log.append([tick(number) for number in range(start, start + 5)], cursors={"position": b"%d" % start})
    thread.join(30)
    assert seen == list(range(500))


class TestTime:
    """The log's clock is the caller's."""

    def test_records_of_every_stream_have_the_time_of_their_write(self, our_log, clock):
        last = our_log.partitions - 1
        letter = DeadLetter(data=b"x", reason="r", origin="spool", partition=last)
        our_log.append([tick(1)], partition=last, dead_letters=[letter])
        clock.now += SECOND
        our_log.commit(last, Commit(watermark=b"w", findings=[tick(2)], summaries=[tick(3)], forwards=[tick(4)]))
        for stream, times in (
            (Stream.EVENTS, [clock() - SECOND, clock()] if home(our_log) == last else [clock() - SECOND]),
            (Stream.FINDINGS, [clock()]),
            (Stream.SUMMARIES, [clock()]),
            (Stream.DEAD_LETTERS, [clock() - SECOND]),
        ):
            records = read_all(our_log, stream, last)
            assert [record.ingestedtime for record in records] == times
            if stream is not Stream.DEAD_LETTERS:
                assert [record.event.ingestedtime for record in records] == times

    def test_ingestedtime_never_goes_back_when_the_clock_does(self, our_log, clock):
        our_log.append([tick(0)])
        before = clock()
        clock.now -= 5 * SECOND
        our_log.append([tick(1)])
        clock.now = before + 1
        our_log.append([tick(2)])
        assert [record.ingestedtime for record in read_all(our_log, partition=home(our_log))] == [
            before,
            before,
            before + 1,
        ]

    def test_an_imported_time_is_kept_unless_the_partition_is_past_it(self, our_log, clock):
        early, late = clock() - 100 * SECOND, clock() + 100 * SECOND
        our_log.append([tick(0, ingestedtime=early), tick(1, ingestedtime=early), tick(2, ingestedtime=late)])
        our_log.append([tick(3, ingestedtime=early), tick(4)])
        times = [record.ingestedtime for record in read_all(our_log, partition=home(our_log))]
        assert times == [early, early, late, late, late]
        our_log.append([tick(5, ingestedtime=late + 1)])
        assert read_all(our_log, partition=home(our_log))[-1].ingestedtime == late + 1


class TestRetention:
    @pytest.fixture
    def log(self, our_log):
        return our_log

    def fill(self, log, clock, count=10):
        """One record a second in events (partition 0), findings and dead letters; all may go but the last event."""
        for number in range(count):
            log.append([tick(number)], partition=0, dead_letters=[DeadLetter(data=b"", reason="r", origin="o")])
            log.commit(0, Commit(findings=[tick(number)], watermark=b"w", replay_start=number))
            clock.advance_seconds(1)

    def test_takes_what_is_older_and_nothing_else(self, log, clock):
        start = clock()
        self.fill(log, clock)
        retained = log.retain(older_than=start + 4 * SECOND, max_bytes=ALL)
        assert retained.removed == {"events": 4, "findings": 4, "dead_letters": 4}
        assert retained.complete
        assert ids(read_all(log, partition=0)) == [4, 5, 6, 7, 8, 9]
        assert ids(read_all(log, Stream.FINDINGS)) == [4, 5, 6, 7, 8, 9]
        assert (log.start(Stream.EVENTS, 0), log.end(Stream.EVENTS, 0)) == (4, 10)
        assert log.retain(older_than=start + 4 * SECOND, max_bytes=ALL).removed == {}

    def test_spares_what_a_replay_needs(self, log, clock):
        self.fill(log, clock)
        log.commit(0, Commit(watermark=b"w", replay_start=6))
        log.retain(older_than=clock(), max_bytes=0)
        assert ids(read_all(log, partition=0)) == [6, 7, 8, 9]

    def test_spares_the_rules(self, log, clock):
        log.append([config(0), tick(1), config(2), tick(3), tick(4)], partition=0)
        log.commit(0, Commit(watermark=b"w", replay_start=4))
        clock.advance_seconds(1)
        assert log.retain(older_than=clock(), max_bytes=0).removed == {"events": 2}
        assert ids(read_all(log, partition=0)) == [0, 2, 4]
        assert log.start(Stream.EVENTS, 0) == 0

    def test_by_size_takes_the_oldest_first_until_it_fits(self, log, clock):
        start = clock()
        self.fill(log, clock, 3)
        assert log.retain(older_than=start, max_bytes=ALL).removed == {}
        assert log.retain(older_than=start, max_bytes=0).removed == {"events": 2, "findings": 3, "dead_letters": 3}

    def test_counts_what_a_reader_had_not_read(self, log, clock):
        start = clock()
        self.fill(log, clock)
        log.move_cursors(
            {"mlflow/findings/0": (3).to_bytes(8, "big"), "slow/findings/0": (1).to_bytes(8, "big"), "mlflow/x": b""}
        )
        old = start + 5 * SECOND
        assert log.retain(older_than=old, max_bytes=ALL, readers=["mlflow"]).unread == 2
        log.move_cursors({"slow/findings/0": (6).to_bytes(8, "big")})
        assert log.retain(older_than=old + 3 * SECOND, max_bytes=ALL, readers=["slow", "mlflow"]).unread == 3
        assert log.retain(older_than=clock(), max_bytes=ALL).unread == 0

    def test_offsets_go_on_after_everything_is_gone(self, log, clock):
        self.fill(log, clock, 3)
        log.commit(0, Commit(watermark=b"w", replay_start=3))
        log.retain(older_than=clock(), max_bytes=ALL)
        assert log.start(Stream.EVENTS, 0) == log.end(Stream.EVENTS, 0) == 3
        log.append([tick(9)], partition=0)
        (record,) = log.read(Stream.EVENTS, 0, 0, 10)
        assert record.offset == 3

    def test_one_pass_is_bounded(self, log, clock):
        log.append([tick(number) for number in range(5_400)], partition=0)
        log.commit(0, Commit(watermark=b"w", replay_start=5_400))
        clock.advance_seconds(1)
        first = log.retain(older_than=clock(), max_bytes=ALL)
        assert (first.removed, first.complete) == ({"events": 5_000}, False)
        second = log.retain(older_than=clock(), max_bytes=ALL)
        assert (second.removed, second.complete) == ({"events": 400}, True)


def test_closing_twice_is_harmless(log):
    log.close()
    log.close()


def test_keys_go_where_kafkas_default_partitioner_sends_them(log):
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    for key, hashed in (("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)):
        assert log.partition_of(key) == (hashed & 0x7FFFFFFF) % log.partitions


def test_a_commit_sends_events_on_to_the_partition_of_their_key(log):
    keys = [f"project-{number}" for number in range(10)]
    log.commit(0, Commit(watermark=b"w", forwards=[tick(number, key) for number, key in enumerate(keys)]))
    found = {}
    for partition in range(log.partitions):
        records = read_all(log, partition=partition)
        found |= {record.event.id: partition for record in records}
    assert found == {f"{number:016x}": log.partition_of(key) for number, key in enumerate(keys)}
