"""Events that lie in the wrong partition: sent on once, counted, never shown."""

import pytest
from msgspec.structs import replace

from quantum_mlops.transports.base import Misplaced, Stream
from quantum_mlops.transports.partitioning import partition_of


class OwnersLog:
    """Tells events apart that are in the wrong partition, as the log of a partition's owner does."""

    def __init__(self, log):
        self.log = log

    def read(self, stream, partition, offset, limit):
        records = self.log.read(stream, partition, offset, limit)
        if stream is not Stream.EVENTS:
            return records
        return [
            record
            if record.event.partitionkey == "*" or self.partition_of(record.event.partitionkey) == partition
            else replace(record, event=Misplaced(record.event))
            for record in records
        ]

    def __getattr__(self, name):
        return getattr(self.log, name)


@pytest.fixture
def scattered(bench):
    """Return a log of three partitions in which all lies in partition 0, and the events in order."""
    story = bench.story(3)
    elsewhere = bench.story(1)
    elsewhere.play([bench.Op("metric", wait=1, project=n % 3, run=n % 4) for n in range(60)])
    story.clock.now = elsewhere.clock.now
    story.log.append(elsewhere.sent, partition=0)
    return OwnersLog(story.log), elsewhere.sent


def test_they_go_to_their_own_partition_once_and_count(bench, scattered):
    log, sent = scattered
    runner = bench.runner(log)
    bench.drain(runner, 7)
    strangers = [event for event in sent if partition_of(event.partitionkey, 3) != 0]
    assert 0 < len(strangers) < len(sent)
    forwarded = [
        record.event for partition in (1, 2) for record in log.read(Stream.EVENTS, partition, 0, 1000)
    ]  # fmt: skip
    assert sorted(e.key for e in forwarded) == sorted(e.key for e in strangers)
    counts = [partition.counts for partition in runner.stats().partitions]
    assert [c.misplaced for c in counts] == [len(strangers), 0, 0]
    assert sum(c.events for c in counts) == len(sent)
    assert runner.stats().partitions[0].offset == len(sent)
    assert log.read(Stream.DEAD_LETTERS, 0, 0, 10) == []


def test_a_replay_after_a_crash_does_not_send_them_again(bench, scattered):
    log, sent = scattered
    faulty = bench.FaultyLog(log)
    runner = bench.runner(faulty, checkpoint_seconds=100.0)
    faulty.faults = [None, "after"]
    with pytest.raises(bench.Crash):
        bench.drain(runner, 11)
    ends = [log.end(Stream.EVENTS, partition) for partition in (1, 2)]
    again = bench.runner(log, checkpoint_seconds=100.0)
    assert [log.end(Stream.EVENTS, partition) for partition in (1, 2)] == ends
    bench.drain(again, 11)
    found = [record.event.key for partition in (1, 2) for record in log.read(Stream.EVENTS, partition, 0, 1000)]
    assert len(found) == len(set(found)) == sum(partition_of(event.partitionkey, 3) != 0 for event in sent)
