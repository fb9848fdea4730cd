import os
import subprocess
import sys

import msgspec
import pytest

from qml_daemon.intake.adoption import Lease, is_writer_gone, this_host
from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.spool.segment import SegmentHeader, SpoolClass

HERE = this_host()
ELSEWHERE = [{"host": "other"}, {"boot_id": "other"}, {"pid_namespace": "pid:[1]"}]
NOW = 10**18


def header(pid, **changes):
    fields = msgspec.structs.asdict(HERE) | changes
    return SegmentHeader(
        nonce="00000000000a", pid=pid, sdk_version="1", spool_class=SpoolClass.BULK, number=0, created_time=0, **fields
    )


def lease(silent_for=0, seen_for=None):
    return Lease(NOW - silent_for, NOW - (silent_for if seen_for is None else seen_for))


@pytest.fixture
def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_neighbour_is_judged_by_its_pid_whatever_the_lease(dead_pid):
    assert is_writer_gone(header(dead_pid), HERE, lease(), NOW)
    assert not is_writer_gone(header(os.getpid()), HERE, lease(100 * MINUTE), NOW)


@pytest.mark.parametrize("changes", ELSEWHERE)
def test_a_pid_of_elsewhere_says_nothing(dead_pid, changes):
    for pid in (dead_pid, os.getpid()):
        assert not is_writer_gone(header(pid, **changes), HERE, lease(5 * MINUTE - 1), NOW)
        assert is_writer_gone(header(pid, **changes), HERE, lease(5 * MINUTE), NOW)


@pytest.mark.parametrize("unknown", ["boot_id", "pid_namespace"])
def test_where_the_system_does_not_tell_only_the_lease_does(dead_pid, unknown):
    facts = msgspec.structs.replace(HERE, **{unknown: ""})
    assert not is_writer_gone(header(dead_pid, **{unknown: ""}), facts, lease(MINUTE), NOW)
    assert is_writer_gone(header(os.getpid(), **{unknown: ""}), facts, lease(5 * MINUTE), NOW)


def test_without_a_header_only_the_lease_tells():
    assert not is_writer_gone(None, HERE, lease(MINUTE), NOW)
    assert is_writer_gone(None, HERE, lease(5 * MINUTE), NOW)


def test_silence_must_also_be_seen_since_the_file_may_have_another_machines_clock():
    assert not is_writer_gone(None, HERE, lease(60 * MINUTE, seen_for=89 * SECOND), NOW)
    assert is_writer_gone(None, HERE, lease(60 * MINUTE, seen_for=90 * SECOND), NOW)


def test_a_touched_file_begins_a_new_silence():
    seen = lease(60 * MINUTE)
    seen.see(NOW - 60 * MINUTE, NOW)
    assert seen.expired(NOW)
    seen.see(NOW - 50 * MINUTE, NOW)
    assert not seen.expired(NOW)


def test_a_clock_that_went_back_begins_a_new_silence():
    seen = Lease(NOW - 100 * MINUTE, NOW)
    seen.see(NOW - 100 * MINUTE, NOW - 30 * MINUTE)
    assert not seen.expired(NOW - 30 * MINUTE)


def test_a_zombie_is_gone_after_its_lease():
    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_writer_gone(header(process.pid), HERE, lease(MINUTE), NOW)
    assert is_writer_gone(header(process.pid), HERE, lease(5 * MINUTE), NOW)
    process.wait()


class TestSpool:
    def tear(self, spool):
        with spool.files()[0].open("ab") as file:
            file.write(b"QS\x01\x01half a frame")
        spool.settle()

    def test_the_torn_tail_of_a_dead_process_is_a_dead_letter_and_its_segment_goes(self, spool):
        writer = spool.writer(gone=True)
        spool.write(writer, [1, 2])
        writer.abandon()
        self.tear(spool)
        assert spool.drain() == 2
        (letter,) = spool.letters()
        assert letter.data == b"QS\x01\x01half a frame"
        assert "16 damaged bytes" in letter.reason
        assert spool.files() == []
        assert spool.intake.stats().adopted == 1

    def test_the_torn_tail_of_a_living_process_waits(self, spool):
        writer = spool.writer()
        spool.write(writer, [1, 2])
        whole = spool.files()[0].read_bytes()
        spool.write(writer, [3])
        grown = spool.files()[0].read_bytes()
        spool.files()[0].write_bytes(grown[: len(whole) + 10])
        for _ in range(3):
            spool.drain()
            spool.clock.now += 10 * MINUTE
        assert spool.numbers() == [1, 2]
        assert spool.letters() == []
        spool.files()[0].write_bytes(grown)
        spool.drain()
        assert spool.numbers() == [1, 2, 3]
        writer.close()

    def test_a_segment_of_a_foreign_namespace_is_read_at_once_and_adopted_only_after_its_lease(self, spool):
        writer = spool.writer(gone=True, pid_namespace="pid:[1]")
        spool.write(writer, [1, 2])
        assert spool.drain() == 2
        for _ in range(20):  # it renews its lease every 10 s, as long as it lives
            spool.clock.advance_seconds(30)
            spool.settle()
            spool.drain()
        assert len(spool.files()) == 1
        spool.clock.now += 5 * MINUTE - 1
        spool.drain()
        assert len(spool.files()) == 1
        spool.clock.now += 1
        spool.drain()
        assert spool.files() == []
        assert spool.letters() == []
        assert spool.intake.stats().adopted == 1
        writer.abandon()

    def test_a_restart_must_see_the_silence_itself(self, spool):
        writer = spool.writer(gone=True, pid_namespace="pid:[1]")
        spool.write(writer, [1])
        spool.clock.now += 60 * MINUTE
        spool.drain()
        assert len(spool.files()) == 1
        spool.clock.now += 90 * SECOND
        spool.drain()
        assert spool.files() == []
        writer.abandon()

    def test_a_segment_that_its_writer_left_unsealed_is_ended_by_the_next(self, spool):
        first, second = spool.segment(0), spool.segment(1)
        first.write(spool.pack([1]))
        second.write(spool.pack([2]))
        spool.drain()
        assert spool.numbers() == [1, 2]
        assert [path.name for path in spool.files()] == ["00000000000a-lifecycle-00000001.qseg"]
        assert spool.intake.stats().adopted == 0
        first.abandon()
        second.abandon()
