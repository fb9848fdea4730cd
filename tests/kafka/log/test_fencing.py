"""A partition has one owner: who takes it over fences the one before."""

import pytest

from quantum_mlops.errors import LogError, LogFencedError
from quantum_mlops.transports.base import Checkpoint, Commit, Stream


def test_a_zombies_commit_is_refused_and_leaves_nothing(open_log, tick):
    zombie, heir = open_log(), open_log()
    zombie.commit(0, Commit(watermark=b"1", rows={b"a": b"1"}, findings=[tick(1)]))
    assert heir.checkpoint(0) == Checkpoint(watermark=b"1", rows={b"a": b"1"})
    with pytest.raises(LogFencedError, match="another process has taken over"):
        zombie.commit(0, Commit(watermark=b"2", rows={b"a": b"2"}, findings=[tick(2)], forwards=[tick(3)]))
    heir.commit(0, Commit(watermark=b"3", findings=[tick(4)]))
    assert heir.checkpoint(0) == Checkpoint(watermark=b"3", rows={b"a": b"1"})
    for log in (heir, zombie):  # the heir waits for its own marker
        assert [record.event.time for record in log.read(Stream.FINDINGS, 0, 0, 10)] == [1, 4]
        assert all(not log.read(Stream.EVENTS, partition, 0, 10) for partition in range(3))


def test_a_zombie_that_writes_again_without_reading_the_checkpoint_is_refused_again(open_log):
    zombie, heir = open_log(), open_log()
    zombie.commit(0, Commit(watermark=b"1"))
    heir.checkpoint(0)
    with pytest.raises(LogFencedError):
        zombie.commit(0, Commit(watermark=b"2"))
    with pytest.raises(LogError, match="read its checkpoint first"):
        zombie.commit(0, Commit(watermark=b"2"))
    assert zombie.checkpoint(0).watermark == b"1"  # it takes the partition back, knowing what is there
    zombie.commit(0, Commit(watermark=b"3"))
    with pytest.raises(LogFencedError):
        heir.commit(0, Commit(watermark=b"4"))


def test_partitions_are_owned_one_by_one(open_log):
    one, other = open_log(), open_log()
    for log, partition in ((one, 0), (other, 1), (one, 2)):
        assert log.checkpoint(partition) == Checkpoint()
    for log, partition in ((one, 0), (other, 1), (one, 2), (one, 0)):
        log.commit(partition, Commit(watermark=b"w"))


def test_looking_at_a_checkpoint_fences_nobody(open_log):
    owner, onlooker = open_log(), open_log()
    owner.commit(0, Commit(watermark=b"1"))
    assert owner.peek(0) == onlooker.peek(0) == Checkpoint(watermark=b"1")  # the owner waits for its own marker
    owner.commit(0, Commit(watermark=b"2"))
    assert owner.peek(0).watermark == b"2"
    assert onlooker.peek(0).watermark == b"2"


def test_an_owner_that_hangs_in_the_middle_of_a_commit_writes_nothing_once_it_is_fenced(open_log, tick):
    heir = open_log()

    def take_over(step):
        if step == "sent" and not taken:
            taken.append(heir.checkpoint(0))

    taken = []
    zombie = open_log(fault=take_over)
    with pytest.raises(LogFencedError):
        zombie.commit(0, Commit(watermark=b"1", findings=[tick(1)], rows={b"a": b"1"}))
    assert taken == [Checkpoint()]
    assert heir.peek(0) == Checkpoint()
    assert heir.read(Stream.FINDINGS, 0, 0, 10) == []
    heir.commit(0, Commit(watermark=b"2", findings=[tick(2)]))
    assert [record.event.time for record in heir.read(Stream.FINDINGS, 0, 0, 10)] == [2]


def test_two_that_append_in_transactions_under_one_name_both_get_through(open_log, tick):
    one, other = open_log(), open_log()
    for number, log in enumerate((one, other, other)):
        log.append([tick(number)], cursors={"position": b"%d" % number})
    with pytest.raises(LogFencedError):
        one.append([tick(3)], cursors={"position": b"3"})
    assert other.cursor("position") == b"2"
    one.append([tick(4)], cursors={"position": b"4"})
    assert one.cursor("position") == other.cursor("position") == b"4"
    named = open_log(writer="import")
    named.append([tick(5)], cursors={"other": b"5"})
    one.append([tick(6)], cursors={"position": b"6"})
    events = one.read(Stream.EVENTS, one.partition_of("iris"), 0, 10)
    assert [record.event.time for record in events] == [0, 1, 2, 4, 5, 6]
