import os
import socket
import struct
import time

import msgspec
import pytest

from quantum_mlops.clock import DAY, MINUTE, SECOND
from quantum_mlops.codec import MAX_EVENT_BYTES
from quantum_mlops.errors import LogError
from quantum_mlops.events import MetricLogged
from quantum_mlops.spool.segment import SpoolClass

BULK = SpoolClass.BULK


def test_what_a_running_process_writes_is_on_the_log_with_its_source_and_id(spool):
    writer = spool.writer()
    spool.write(writer, [1, 2])
    assert spool.intake.poll(100) == 2
    spool.write(writer, [3], stream=7)
    assert spool.intake.poll(100) == 1
    host = os.uname().nodename
    keys = [record.event.key for record in spool.records()]
    assert keys == [(f"qml://{host}/00000000000a/{n}", f"{i:016x}") for n, i in ((0, 1), (0, 2), (7, 3))]
    assert spool.records()[0].event.data == MetricLogged()
    assert spool.records()[0].ingestedtime == spool.clock()
    assert len(spool.files()) == 1
    assert spool.intake.lag_bytes() == 0
    writer.abandon()


def test_an_idle_poll_writes_nothing(spool):
    writer = spool.writer()
    spool.write(writer, [1])
    spool.drain()
    before = spool.log._connection.total_changes
    for _ in range(3):
        assert spool.intake.poll(100) == 0
    assert spool.log._connection.total_changes == before
    writer.abandon()


def test_a_sealed_segment_is_removed_and_its_position_forgotten(spool):
    writer = spool.writer()
    spool.write(writer, range(10))
    writer.close()
    assert spool.drain() == 10
    assert spool.files() == []
    assert spool.log.cursors("spool/") == {}
    assert spool.intake.stats().removed == 1
    assert spool.intake.stats().adopted == 0


def test_after_a_restart_it_goes_on_where_the_log_ends(spool):
    writer = spool.writer()
    spool.write(writer, range(5))
    spool.drain()
    spool.restart()
    spool.write(writer, range(5, 8))
    assert spool.drain() == 3
    assert spool.numbers() == list(range(8))
    writer.abandon()


def test_a_spool_that_is_not_there_yet_is_empty(spool):
    spool.folder.rmdir()
    assert spool.intake.poll(10) == 0
    assert spool.intake.stats().fault is None


def test_a_spool_that_is_no_folder_is_a_fault_and_no_stop(spool):
    spool.folder.rmdir()
    spool.folder.touch()
    assert spool.intake.poll(10) == 0
    assert spool.intake.stats().fault == f"{spool.folder}: Not a directory"


def test_a_day_old_spool_is_read_and_its_events_come_late(spool):
    writer = spool.writer(gone=True)
    spool.write(writer, range(3))
    writer.abandon()
    spool.clock.now += DAY
    assert spool.drain() == 3
    assert all(record.ingestedtime - record.event.time == DAY for record in spool.records())
    assert spool.files() == []


def test_each_writers_order_is_kept_over_its_segments(spool):
    segments = [spool.segment(number) for number in range(4)]
    from_last = list(enumerate(segments))[::-1]
    for number, segment in from_last:
        segment.write(spool.pack([number * 10, number * 10 + 1]))
        segment.abandon()
    spool.drain()
    assert spool.numbers() == [0, 1, 10, 11, 20, 21, 30, 31]
    # All but the last were ended by their successors; the last one's writer (this process) lives.
    assert [path.name for path in spool.files()] == ["00000000000a-lifecycle-00000003.qseg"]


def test_lifecycle_goes_first_and_bulk_keeps_a_quarter(spool):
    writer = spool.writer()
    for start in range(0, 4000, 10):
        writer.write(BULK, spool.pack(range(start, start + 10), 1), 0)
        writer.write(SpoolClass.LIFECYCLE, spool.pack(range(start, start + 10), 0), 0)
    spool.intake = spool.make_intake(slice_bytes=1000)
    spool.intake.poll(400)
    lifecycle, bulk = len(spool.numbers(stream=0)), len(spool.numbers(stream=1))
    assert 300 <= lifecycle < 350
    assert 100 <= bulk < 150
    assert spool.records()[0].event.source.endswith("/0")
    spool.drain()
    assert spool.numbers(stream=0) == spool.numbers(stream=1) == list(range(4000))
    writer.close()


def test_writers_take_turns(spool):
    writers = [spool.writer(f"00000000000{digit}") for digit in "abc"]
    for writer in writers:
        for start in range(0, 2000, 10):
            writer.write(BULK, spool.pack(range(start, start + 10)), 0)
    spool.intake = spool.make_intake(slice_bytes=1000)
    for _ in range(3):
        spool.intake.poll(300)
    counts = [sum(f"/00000000000{digit}/" in record.event.source for record in spool.records()) for digit in "abc"]
    assert min(counts) > 0.6 * max(counts)
    for writer in writers:
        writer.close()


def test_an_event_too_large_is_a_dead_letter_and_the_others_go_on(spool):
    writer = spool.writer()
    data = msgspec.Raw(msgspec.msgpack.encode({"text": "x" * MAX_EVENT_BYTES}))
    writer.write(BULK, [*spool.pack([1]), *spool.pack([2], event_type="com.example", data=data), *spool.pack([3])], 0)
    assert spool.drain() == 2
    assert spool.numbers() == [1, 3]
    (letter,) = spool.letters()
    assert letter.origin == "spool"
    assert letter.key[1] == f"{2:016x}"
    assert letter.time == spool.clock()
    assert "over the limit of 65536 bytes" in letter.reason
    assert len(letter.data) > MAX_EVENT_BYTES
    assert spool.intake.stats().dead_letters == 1
    writer.close()


def test_undecodable_records_are_dead_letters_with_their_reason(spool):
    writer = spool.writer()
    writer.write(BULK, [*spool.pack([1]), b"\x93\x01\x02\x03", *spool.pack([2])], 0)
    assert spool.drain() == 2
    (letter,) = spool.letters()
    assert letter.data == b"\x93\x01\x02\x03"
    assert letter.reason.startswith("undecodable record")
    writer.close()


def test_a_flood_of_undecodable_records_is_bounded_per_poll(spool):
    writer = spool.writer()
    for _ in range(100):
        writer.write(BULK, [b"\x93\x01\x02\x03"] * 100, 0)
    spool.intake = spool.make_intake(slice_bytes=1000)
    assert spool.intake.poll(500) == 0
    assert 500 <= len(spool.letters()) < 1000
    while spool.intake.lag_bytes():
        spool.intake.poll(500)
    assert len(spool.letters()) == 10_000
    writer.close()


def test_a_corrupt_middle_frame_is_skipped_and_reported_once(spool):
    writer = spool.writer()
    spool.write(writer, [1])
    start = spool.files()[0].stat().st_size
    spool.write(writer, [2])
    spool.write(writer, [3])
    with spool.files()[0].open("r+b") as file:
        file.seek(start + 20)
        file.write(b"\xff\xff")
    assert spool.drain() == 2
    assert spool.numbers() == [1, 3]
    (letter,) = spool.letters()
    assert f"damaged bytes at position {start} of" in letter.reason
    writer.close()


def test_a_log_that_fails_loses_nothing_and_doubles_nothing(spool, monkeypatch):
    writer = spool.writer()
    spool.write(writer, range(5))
    (spool.folder / "stranger").touch()

    def fail(*_, **__):
        raise LogError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(spool.log, "append", fail)
        for _ in range(3):
            with pytest.raises(LogError):
                spool.intake.poll(100)
    assert spool.intake.stats().events == 0
    assert spool.drain() == 5
    assert spool.numbers() == list(range(5))
    assert len(spool.letters()) == 1
    writer.close()


def test_a_batch_that_was_stored_though_the_log_raised_is_not_stored_twice(spool, monkeypatch):
    writer = spool.writer()
    spool.write(writer, range(5))
    (spool.folder / "stranger").touch()
    append = spool.log.append

    def store_and_fail(*arguments, **named):
        append(*arguments, **named)
        raise LogError("the connection broke after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(spool.log, "append", store_and_fail)
        with pytest.raises(LogError):
            spool.intake.poll(100)
    spool.write(writer, range(5, 8))
    spool.drain()
    assert spool.numbers() == list(range(8))
    assert len(spool.letters()) == 1
    writer.close()


def test_a_file_that_cannot_be_removed_is_not_read_again(spool, monkeypatch):
    writer = spool.writer()
    spool.write(writer, range(5))
    writer.close()

    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", refuse)
        spool.drain()
        assert "cannot be removed: Operation not permitted" in spool.intake.stats().fault
        spool.restart()
        assert spool.drain() == 0
    assert len(spool.files()) == 1
    spool.intake.poll(10)
    assert spool.files() == []
    assert spool.numbers() == list(range(5))
    assert spool.intake.stats().fault is None


def test_a_file_that_cannot_be_read_is_reported_once_passed_over_and_tried_again(spool, monkeypatch):
    locked, later = spool.segment(0), spool.segment(1)
    locked.write(spool.pack(range(5)))
    later.write(spool.pack([77]))
    opened = os.open

    def refuse(path, *arguments, **named):
        if str(path).endswith("lifecycle-00000000.qseg"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr("os.open", refuse)
        for _ in range(3):
            for _ in range(2):
                spool.intake.poll(100)
                assert "Permission denied" in spool.intake.stats().fault
            spool.clock.advance_seconds(61)
    assert spool.numbers() == [77]
    assert [letter.reason for letter in spool.letters()] == [
        "00000000000a-lifecycle-00000000.qseg: cannot be read: Permission denied"
    ]
    assert spool.drain() == 5
    assert spool.numbers() == [77, *range(5)]
    locked.abandon()
    later.abandon()


class TestHostileFolder:
    @pytest.fixture
    def hostile(self, spool, tmp_path):
        folder = spool.folder
        (tmp_path / "secret").write_bytes(b"secret")
        (folder / "000000000001-bulk-00000000.qseg").symlink_to(tmp_path / "secret")
        (folder / "000000000002-bulk-00000000.qseg").symlink_to(tmp_path / "nowhere")
        os.mkfifo(folder / "000000000003-bulk-00000000.qseg")
        (folder / "000000000004-bulk-00000000.qseg").mkdir()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "socket"))
        listener.close()
        (folder / "notes.txt").write_text("hello")
        os.close(os.open(os.fsencode(folder) + b"/\xff\xfe\n", os.O_CREAT))
        return 7

    def test_each_stranger_is_reported_once_and_left_alone(self, spool, hostile, tmp_path):
        writer = spool.writer()
        spool.write(writer, [1, 2])
        for _ in range(3):
            spool.drain()
            spool.restart()
        assert spool.numbers() == [1, 2]
        reasons = sorted(letter.reason for letter in spool.letters())
        assert len(reasons) == hostile
        assert "000000000001-bulk-00000000.qseg: a symbolic link, not a segment" in reasons
        assert "000000000003-bulk-00000000.qseg: a fifo, not a segment" in reasons
        assert "\\udcff\\udcfe\n: a file of 0 bytes that is not named like a segment" in reasons
        assert all(b"secret" not in letter.data for letter in spool.letters())
        spool.drain()
        assert spool.intake.stats().foreign == hostile
        assert len(list(spool.folder.iterdir())) == hostile + 1
        assert (tmp_path / "secret").read_bytes() == b"secret"
        writer.close()

    def test_a_stranger_that_comes_again_is_reported_again(self, spool):
        for _ in range(2):
            (spool.folder / "notes.txt").touch()
            spool.drain()
            (spool.folder / "notes.txt").unlink()
            spool.drain()
        assert len(spool.letters()) == 2
        assert spool.log.cursors("spool/") == {}

    @pytest.mark.parametrize("size", [0, 1, 100, 1_000_000])
    def test_random_bytes_named_like_a_segment_end_as_one_dead_letter(self, spool, size):
        path = spool.folder / "00000000000b-bulk-00000000.qseg"
        path.write_bytes(os.urandom(size))
        writer = spool.writer()
        spool.write(writer, [1, 2])
        spool.drain()
        assert spool.numbers() == [1, 2]
        assert path.exists()
        spool.clock.now += 6 * MINUTE
        os.utime(spool.files()[0], ns=(spool.clock(), spool.clock()))
        spool.drain()
        assert not path.exists()
        assert len(spool.letters()) == (1 if size else 0)
        writer.close()

    def test_bytes_made_to_be_checksummed_for_ever_are_not(self, spool):
        claim = struct.pack("<2sBBIII", b"QS", 1, 1, 4 * 1024 * 1024 - 64, 7, 1)
        path = spool.folder / "00000000000b-lifecycle-00000000.qseg"
        path.write_bytes(claim * (12 * 1024 * 1024 // len(claim)))
        writer = spool.writer()
        spool.write(writer, [1, 2])
        begin = time.process_time()
        spool.drain()
        assert time.process_time() - begin < 5
        assert spool.numbers() == [1, 2]
        writer.close()

    def test_a_huge_sparse_file_neither_stops_nor_fills_anything(self, spool):
        path = spool.folder / "00000000000b-bulk-00000000.qseg"
        with path.open("wb") as file:
            file.truncate(200 * 1024 * 1024)
        writer = spool.writer()
        spool.write(writer, range(50))
        begin = time.process_time()
        assert spool.drain() == 50
        assert spool.numbers() == list(range(50))
        for _ in range(10):
            spool.intake.poll(100)
        assert time.process_time() - begin < 20
        assert sum(len(letter.data) for letter in spool.letters()) < 2 * 1024 * 1024
        writer.close()


def test_the_clock_of_the_log_is_the_one_that_dates_dead_letters(spool):
    (spool.folder / "x").touch()
    spool.clock.now += 5 * SECOND
    spool.drain()
    assert spool.letters()[0].time == spool.clock()
