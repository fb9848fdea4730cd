import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantum_mlops.codec import decode, encode
from quantum_mlops.events import Context, UnknownData
from quantum_mlops.spool.frame import Kind, pack_frame, read_frame, seed_of
from quantum_mlops.spool.reader import SegmentReader, read_folder
from quantum_mlops.spool.segment import NamedRecord, SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter

SEED = seed_of("0123456789ab")
MANY = 2**20


def read_all(path, max_bytes=MANY, *, final=False):
    reader, position, events, broken, sealed = SegmentReader(path), 0, [], [], False
    while not sealed:
        chunk = reader.read(position, max_bytes, final=final)
        events, broken, sealed = events + chunk.events, broken + chunk.broken, chunk.sealed
        if chunk.position == position:
            break
        position = chunk.position
    reader.close()
    return events, broken, position, sealed


def frames_of(data):
    ends, at = [], 0
    while (frame := read_frame(SEED, data, at)) is not None:
        at = frame.end
        ends.append(at)
    return ends


def numbers(events):
    return [int(event.id, 16) for event in events]


def test_events_come_back_as_they_were_written(segment):
    events, broken, position, sealed = read_all(segment)
    assert numbers(events) == list(range(12))
    assert (broken, position, sealed) == ([], segment.stat().st_size, True)
    event = events[3]
    assert event.source.startswith("qml://")
    assert event.source.endswith("/0123456789ab/0")
    assert (event.time, event.project, event.context) == (1003, "iris", Context(runid="r", step=3))
    assert event.data.values == {"loss": 3.0}
    assert decode(encode(event)) == event


@pytest.mark.parametrize("max_bytes", [1, 50, 200, 333, 10_000])
def test_reading_in_small_steps_gives_the_same(segment, max_bytes):
    assert read_all(segment, max_bytes) == read_all(segment)


def test_reading_goes_on_from_any_position_it_returned(segment):
    reader = SegmentReader(segment)
    first = reader.read(0, 400)
    again = SegmentReader(segment)
    rest = again.read(first.position, MANY)
    assert 0 < len(first.events) < 12
    assert numbers(first.events + rest.events) == list(range(12))
    reader.close()
    again.close()


def test_a_tail_cut_anywhere_waits_until_the_writer_is_gone(segment):
    data = segment.read_bytes()
    ends = frames_of(data)
    for cut in range(len(data)):
        segment.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        kept = 2 * max(0, whole - 1)
        last = ends[whole - 1] if whole else 0
        events, broken, position, sealed = read_all(segment)
        assert (numbers(events), broken, position, sealed) == (list(range(kept)), [], last, False)
        events, broken, position, _ = read_all(segment, final=True)
        assert (numbers(events), position) == (list(range(kept)), cut)
        assert [len(bytes_) for bytes_, _ in broken] == ([cut - last] if cut > last else [])


def test_a_damaged_middle_frame_is_skipped_and_reported(segment):
    data = bytearray(segment.read_bytes())
    _, _, second, third, *_ = frames_of(bytes(data))
    data[second + 30] ^= 1
    segment.write_bytes(data)
    events, broken, position, sealed = read_all(segment)
    assert numbers(events) == [0, 1, 2, 3, *range(6, 12)]
    ((lost, reason),) = broken
    assert lost == bytes(data[second:third])
    assert reason == f"{third - second} damaged bytes at position {second} of {segment.name}"
    assert (position, sealed) == (len(data), True)


def test_a_damaged_length_costs_only_its_own_frame(segment):
    data = bytearray(segment.read_bytes())
    second = frames_of(bytes(data))[2]
    data[second + 4 : second + 8] = (3_000_000).to_bytes(4, "little")
    segment.write_bytes(data)
    events, broken, _, sealed = read_all(segment)
    assert numbers(events) == [0, 1, 2, 3, *range(6, 12)]
    assert (len(broken), sealed) == (1, True)


def test_megabytes_of_nothing_are_passed_over(segment):
    data = segment.read_bytes()
    end = frames_of(data)[1]
    segment.write_bytes(data[:end] + bytes(20 * 2**20) + data[end:])
    events, broken, _, sealed = read_all(segment)
    assert (numbers(events), sealed) == (list(range(12)), True)
    assert all(len(lost) <= 64 * 1024 for lost, _ in broken)


def test_without_its_header_a_segment_is_still_read_and_says_so(segment):
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    events, broken, _, _ = read_all(segment)
    assert numbers(events) == list(range(12))
    assert {event.source for event in events} == {"qml://unknown/0123456789ab/0"}
    assert len(broken) == 1


def test_what_looks_like_a_frame_inside_the_data_is_data(writer, pack):
    inner = pack_frame(seed_of("ba9876543210"), Kind.SEAL) + pack_frame(0, Kind.SEAL)
    writer.write(SpoolClass.BULK, [pack(0, {"blob": inner}, "com.example.note")], 1)
    (path,) = writer.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    events, broken, _, sealed = read_all(path, final=True)
    assert (events, len(broken), sealed) == ([], 1, False)


def test_a_type_of_the_future_keeps_its_data_as_json(writer, pack):
    writer.write(SpoolClass.LIFECYCLE, [pack(0, {"a": [1, {"b": "ü"}]}, "quantum_mlops.job.teleported.v3")], 1)
    (event,) = read_folder(writer.folder)
    assert isinstance(event.data, UnknownData)
    assert msgspec.json.decode(event.data.json) == {"a": [1, {"b": "ü"}]}
    assert decode(encode(event)) == event


def test_one_wrong_record_does_not_cost_its_neighbours(writer, pack):
    wrong = [
        pack(1, {"values": "no"}),
        pack(2, {"values": {"loss": float("nan")}}),
        pack(3, stream=-1),
        pack(4, partitionkey="x" * 513),
        pack(5, {"a": float("inf")}, "com.example.note"),
        msgspec.msgpack.encode({"not": "a record"}),
    ]
    writer.write(SpoolClass.BULK, [pack(0), *wrong, pack(9)], 1)
    (path,) = writer.folder.iterdir()
    events, broken, _, _ = read_all(path)
    assert numbers(events) == [0, 9]
    assert [lost for lost, _ in broken] == wrong
    assert broken[1][1] == "quantum_mlops.metric.logged.v1: a number that is not finite"


def test_an_intact_frame_of_no_records_at_all_is_reported(segment):
    data = segment.read_bytes()
    end = frames_of(data)[0]
    odd = pack_frame(SEED, Kind.RECORDS, b"\xc1 not msgpack", 1)
    segment.write_bytes(data[:end] + odd + data[end:])
    events, broken, _, _ = read_all(segment)
    assert numbers(events) == list(range(12))
    assert len(broken) == 1


@given(st.binary(max_size=400), st.integers(0, 500), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_bytes_never_raise_and_always_end(segment, noise, place, final):
    original = segment.read_bytes()
    place %= len(original)
    segment.write_bytes(original[:place] + noise + original[place + len(noise) :])
    try:
        events, _, position, _ = read_all(segment, 100, final=final)
    finally:
        segment.write_bytes(original)
    assert position <= len(original) + len(noise)
    assert set(numbers(events)) <= set(range(12))


def test_a_file_that_is_no_segment_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(ValueError, match="no spool segment"):
        SegmentReader(path)


def test_a_record_with_a_source_and_an_id_of_its_own_keeps_them(tmp_path):
    name = "quantum_mlops.job.queued.v1"
    data = msgspec.Raw(msgspec.msgpack.encode({"job_id": "j"}))
    named = NamedRecord(0, 0, name, 1, "iris", "iris", Context(), data, "urn:other", "j/queued")
    plain = SpoolRecord(0, 1, name, 2, "iris", "iris", Context(), data)
    spool = SpoolWriter(tmp_path, this_process("0123456789ab", "1"))
    spool.write(SpoolClass.LIFECYCLE, [msgspec.msgpack.encode(one) for one in (named, plain)], 0)
    spool.close()
    first, second = read_folder(tmp_path)
    assert first.key == ("urn:other", "j/queued")
    assert (second.source.endswith("/0123456789ab/0"), second.id) == (True, f"{1:016x}")


def test_a_reader_that_knows_no_names_takes_the_counter(tmp_path):
    record = NamedRecord(3, 7, "t", 1, "iris", "iris", Context(), msgspec.Raw(b"\x80"), "urn:other", "x")
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=SpoolRecord)
    assert (old.stream, old.sequence, old.type) == (3, 7, "t")
