"""Events as Kafka records and back."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from quantum_mlops.codec import MAX_EVENT_BYTES
from quantum_mlops.errors import EventTooLargeError
from quantum_mlops.events import Event, Tick, UnknownData, type_name
from quantum_mlops.transports.base import DeadLetter, Stream, Undecodable
from quantum_mlops.transports.kafka.records import decode_record, encode_event, encode_letter

TICK = Event(id="1", source="s", type=type_name("tick"), time=5, partitionkey="iris", data=Tick())
SECOND_MS = 1000
LATE_MS = 253_402_300_799 * SECOND_MS


def test_any_event_comes_back_with_its_own_time_or_the_records(any_event):
    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(any_event)
    def check(event):
        entry = encode_event(event)
        record = decode_record(Stream.EVENTS, 9, LATE_MS, entry.value)
        time = LATE_MS * 10**6 if event.ingestedtime is None else event.ingestedtime
        assert record.event == msgspec.structs.replace(event, ingestedtime=time)
        assert (record.offset, record.ingestedtime) == (9, time)

    check()


@pytest.mark.parametrize(("ahead_seconds", "believed"), [(-(10**6), True), (59, True), (61, False), (10**9, False)])
def test_an_imports_time_is_not_believed_where_it_is_ahead_of_the_brokers(ahead_seconds, believed):
    broker = 1_700_000_000 * 10**9
    given = broker + ahead_seconds * 10**9
    entry = encode_event(msgspec.structs.replace(TICK, ingestedtime=given))
    record = decode_record(Stream.EVENTS, 0, broker // 10**6, entry.value)
    assert record.ingestedtime == record.event.ingestedtime == (given if believed else broker)


def test_the_key_is_the_partitionkey_except_for_all_partitions():
    assert encode_event(TICK).key == b"iris"
    assert encode_event(msgspec.structs.replace(TICK, partitionkey="*")).key is None
    assert encode_event(TICK).headers == [("content-type", b"application/cloudevents+json")]


def test_the_limit_counts_no_import_time():
    def of(size):
        return msgspec.structs.replace(
            TICK, type="com.example", ingestedtime=10**18, data=UnknownData(msgspec.Raw(b'"%b"' % (b"x" * size)))
        )

    room = MAX_EVENT_BYTES - len(encode_event(msgspec.structs.replace(of(0), ingestedtime=None)).value)
    entry = encode_event(of(room))
    assert len(entry.value) > MAX_EVENT_BYTES
    assert decode_record(Stream.EVENTS, 0, 10**12, entry.value).event == of(room)
    with pytest.raises(EventTooLargeError):
        encode_event(of(room + 1))


def test_letters_come_back_and_strangers_are_undecodable():
    letter = DeadLetter(data=b"\x00\xff", reason="r", origin="o", time=3, partition=2, key=("s", "1"))
    entry = encode_letter(letter)
    assert entry.key == b"s"
    assert decode_record(Stream.DEAD_LETTERS, 0, 1, entry.value).event == letter
    for stream in Stream:
        for value in (b"", b"\xff", b"[]", b"{}"):
            record = decode_record(stream, 4, 2, value)
            assert isinstance(record.event, Undecodable)
            assert (record.offset, record.ingestedtime, record.event.data) == (4, 2_000_000, value)
        assert isinstance(decode_record(stream, 0, -1, None).event, Undecodable)
