import os
import time

import pytest

from quantum_mlops.spool import writer as writer_module
from quantum_mlops.spool.reader import SegmentReader, read_folder
from quantum_mlops.spool.segment import SpoolClass, this_process
from quantum_mlops.spool.writer import SpoolFullError, SpoolWriter

BULK, LIFECYCLE = SpoolClass.BULK, SpoolClass.LIFECYCLE


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_header_says_who_writes(segment):
    header = SegmentReader(segment).header
    assert (header.nonce, header.pid, header.spool_class, header.number) == ("0123456789ab", os.getpid(), BULK, 0)
    assert header.host == os.uname().nodename


def test_the_two_classes_go_to_files_of_their_own(writer, pack):
    writer.write(BULK, [pack(0)], 1)
    writer.write(LIFECYCLE, [pack(1)], 1)
    assert names(writer.folder) == ["0123456789ab-bulk-00000000.qseg", "0123456789ab-lifecycle-00000001.qseg"]


def test_folder_and_files_are_the_user_s_alone(writer, pack):
    writer.write(BULK, [pack(0)], 1)
    (path,) = writer.folder.iterdir()
    assert (writer.folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_segment_is_sealed_at_8_mib_and_the_next_one_begins(writer, pack):
    record = pack(0, {"text": "x" * 60_000}, "com.example.note")
    for _ in range(150):
        writer.write(BULK, [record], 1)
    first, second = sorted(writer.folder.iterdir())
    assert 8 * 2**20 <= first.stat().st_size < 8 * 2**20 + 61_000
    assert second.stat().st_size > 0
    reader, chunks = SegmentReader(first), []
    while not chunks or not chunks[-1].sealed:
        chunks.append(reader.read(chunks[-1].position if chunks else 0, 2**20))
    reader.close()
    assert chunks[-1].position == first.stat().st_size


def test_one_flush_of_many_records_is_one_write_and_several_frames(writer, pack, monkeypatch):
    writer.write(BULK, [pack(0)], 1)
    writes = []
    real = os.write
    monkeypatch.setattr(writer_module.os, "write", lambda file, data: writes.append(len(data)) or real(file, data))
    writer.write(BULK, [pack(number, {"text": "x" * 50_000}, "com.example.note") for number in range(60)], 1)
    assert len(writes) == 1
    assert len(read_folder(writer.folder)) == 61


def test_bulk_is_refused_before_lifecycle_at_the_cap(tmp_path, pack):
    writer = SpoolWriter(tmp_path, this_process("0123456789ab", "0"), cap_bytes=80_000)
    record = pack(0, {"text": "x" * 10_000}, "com.example.note")
    written = {BULK: 0, LIFECYCLE: 0}
    for spool_class in (BULK, LIFECYCLE):
        with pytest.raises(SpoolFullError):  # noqa: PT012 - how many fit is the point
            for _ in range(20):
                writer.write(spool_class, [record], 1)
                written[spool_class] += 1
    assert written == {BULK: 6, LIFECYCLE: 1}
    writer.abandon()


def test_what_the_reader_took_away_makes_room_again(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(writer_module, "_RECOUNT_SECONDS", 0)
    writer = SpoolWriter(tmp_path, this_process("0123456789ab", "0"), cap_bytes=80_000)
    record = pack(0, {"text": "x" * 10_000}, "com.example.note")
    for _ in range(6):
        writer.write(BULK, [record], 1)
    with pytest.raises(SpoolFullError):
        writer.write(BULK, [record], 1)
    min(tmp_path.iterdir()).unlink()
    writer.write(BULK, [record], 1)
    writer.abandon()


def fill(writer, spool_class, record):
    """Write until the cap refuses; return how many were written."""
    for written in range(100):
        try:
            writer.write(spool_class, [record], 1)
        except SpoolFullError:
            return written
    raise AssertionError


def test_two_writers_share_the_cap_of_their_folder(tmp_path, pack):
    record = pack(0, {"text": "x" * 10_000}, "com.example.note")
    first, second = (SpoolWriter(tmp_path, this_process(nonce * 12, "0"), cap_bytes=80_000) for nonce in "ab")
    assert fill(first, BULK, record) == 6
    assert fill(second, BULK, record) == 0  # bulk is lost first,
    assert fill(second, LIFECYCLE, record) == 1  # by every writer
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 80_000
    assert second.size_bytes < 11_000
    first.abandon()
    second.abandon()


def test_what_another_writer_adds_later_is_counted_at_rotation(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(writer_module, "_RECOUNT_SECONDS", 0)
    record = pack(0, {"text": "x" * 10_000}, "com.example.note")
    first, second = (SpoolWriter(tmp_path, this_process(nonce * 12, "0"), cap_bytes=80_000) for nonce in "ab")
    first.write(BULK, [record], 1)
    assert fill(second, BULK, record) == 5
    assert fill(first, BULK, record) == 1  # to the end of its segment, and no further
    for path in tmp_path.glob("b*"):
        path.unlink()
    assert fill(first, BULK, record) == 4
    first.abandon()
    second.abandon()


def test_a_writer_that_never_rotates_counts_the_others_with_its_lease(tmp_path, pack, monkeypatch):
    record = pack(0, {"text": "x" * 10_000}, "com.example.note")
    first, second = (SpoolWriter(tmp_path, this_process(nonce * 12, "0"), cap_bytes=80_000) for nonce in "ab")
    first.write(BULK, [record], 1)
    fill(second, BULK, record)
    scans = []
    real = os.scandir
    monkeypatch.setattr(writer_module.os, "scandir", lambda folder: scans.append(folder) or real(folder))
    first.renew_leases()
    assert scans == []
    later = time.monotonic() + 10
    monkeypatch.setattr(writer_module.time, "monotonic", lambda: later)
    first.renew_leases()
    assert fill(first, BULK, record) == 0
    assert len(scans) == 1
    first.abandon()
    second.abandon()


def test_a_write_that_fits_lists_no_folder(writer, pack, monkeypatch):
    writer.write(BULK, [pack(0)], 1)
    monkeypatch.setattr(writer_module.os, "scandir", None)
    writer.write(BULK, [pack(1)], 1)
    monkeypatch.undo()
    assert len(read_folder(writer.folder)) == 2


def test_a_short_write_leaves_whole_frames_only(writer, pack, monkeypatch):
    writer.write(BULK, [pack(0)], 1)
    (path,) = writer.folder.iterdir()
    size = path.stat().st_size
    real = os.write
    monkeypatch.setattr(writer_module.os, "write", lambda file, data: real(file, data[:10]))
    with pytest.raises(OSError, match="short write"):
        writer.write(BULK, [pack(1)], 1)
    assert path.stat().st_size == size
    monkeypatch.undo()
    writer.write(BULK, [pack(2)], 1)
    assert [event.time for event in read_folder(writer.folder)] == [1000, 1002]


def test_a_segment_that_cannot_even_begin_leaves_no_file(writer, pack, monkeypatch):
    monkeypatch.setattr(writer_module.os, "write", lambda file, data: 0)
    with pytest.raises(OSError, match="short write"):
        writer.write(BULK, [pack(0)], 1)
    assert names(writer.folder) == []


def test_the_lease_is_renewed_by_touching_the_open_file(writer, pack, monkeypatch):
    writer.write(BULK, [pack(0)], 1)
    (path,) = writer.folder.iterdir()
    os.utime(path, (1, 1))
    writer.renew_leases()
    assert path.stat().st_mtime == 1
    later = time.monotonic() + 10
    monkeypatch.setattr(writer_module.time, "monotonic", lambda: later)
    writer.renew_leases()
    assert abs(path.stat().st_mtime - time.time()) < 60


def test_after_somebody_deleted_the_open_segment_a_new_one_begins(writer, pack):
    writer.write(BULK, [pack(0)], 1)
    (path,) = writer.folder.iterdir()
    path.unlink()
    writer.write(BULK, [pack(1)], 1)
    assert [event.time for event in read_folder(writer.folder)] == [1001]
