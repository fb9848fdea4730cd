"""What Faust dropped on the way to the owner is fetched again; what is of an earlier seek is not handed on."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from qml_processors.worker.faust_delivery import FaustDelivery, Fetch
from qml_processors.worker.handover import Handover
from quantum_mlops.transports.kafka.settings import KafkaSettings

AT = TopicPartition("qml.events.v1", 0)


class Consumer:
    """Knows what was asked of it; one partition is assigned."""

    def __init__(self):
        self.asked = []
        self.next = 0

    def assignment(self):
        return frozenset({AT})

    def seek(self, at, offset):
        self.asked.append(("seek", at.partition, offset))

    def resume(self, at):
        self.asked.append(("resume", at.partition))

    def pause(self, at):
        self.asked.append(("pause", at.partition))

    async def position(self, at):
        return self.next


class Engine:
    """A delivery between a fetch and the owner, without a broker."""

    def __init__(self):
        self.handed = []
        self.room = True
        self.consumer = Consumer()
        self.delivery = FaustDelivery(SimpleNamespace(), KafkaSettings(bootstrap_servers=("127.0.0.1:1",)))
        self.delivery._handover = Handover(self._accept)
        self.delivery._handover.assign({0})
        self.delivery._consumer = self.consumer

    def _accept(self, chunk):
        self.handed.append((chunk.epoch, chunk.start, chunk.end))
        return self.room

    def seek(self, offset, epoch):
        self.delivery._do_seek(0, offset, epoch)

    def fetch(self, first, end):
        """Return what travels through Faust when records from `first` on were fetched, to before `end`."""
        self.consumer.next = end
        records = [SimpleNamespace(offset=n, serialized_value_size=10) for n in range(first, end)]
        wrapping = self.delivery.wrap({AT: records})
        with pytest.raises(StopIteration) as stopped:
            wrapping.send(None)  # it waits for nothing
        found = stopped.value.value
        return found[AT][0] if found else None

    def arrive(self, fetch: Fetch):
        self.delivery._take(fetch)


@pytest.fixture
def engine():
    return Engine()


def test_fetches_come_in_order_with_the_offsets_that_they_cover(engine):
    engine.seek(10, 1)
    engine.arrive(engine.fetch(10, 20))
    engine.arrive(engine.fetch(23, 30))  # markers of transactions lie between
    assert engine.handed == [(1, 10, 20), (1, 20, 30)]
    assert engine.delivery.dropped == 0


def test_what_faust_dropped_is_fetched_again_and_what_follows_it_waits(engine):
    engine.seek(0, 1)
    engine.arrive(engine.fetch(0, 10))
    engine.fetch(10, 20)  # dropped
    third, fourth = engine.fetch(20, 30), engine.fetch(30, 40)
    engine.arrive(third)
    engine.arrive(fourth)
    assert engine.handed == [(1, 0, 10)]
    assert engine.consumer.asked[-2:] == [("seek", 0, 10), ("resume", 0)]
    assert engine.delivery.dropped == 1
    engine.arrive(engine.fetch(10, 40))
    assert engine.handed[1:] == [(1, 10, 40)]


def test_the_first_fetch_after_a_seek_may_be_dropped_too(engine):
    engine.seek(5, 7)
    engine.fetch(5, 10)
    for _ in range(3):  # as often as it likes
        second = engine.fetch(10, 20)
        engine.arrive(second)
        assert engine.handed == []
        engine.fetch(5, 10)
    assert engine.delivery.dropped == 3
    engine.seek(5, 7)
    engine.arrive(engine.fetch(5, 20))
    assert engine.handed == [(7, 5, 20)]


def test_what_was_fetched_before_a_seek_is_not_handed_on_after_it(engine):
    engine.seek(0, 1)
    early = engine.fetch(0, 10)
    engine.seek(0, 2)
    engine.arrive(early)
    assert engine.handed == []


def test_without_a_seek_nothing_is_fetched(engine):
    assert engine.fetch(0, 10) is None


def test_a_partition_without_room_is_paused(engine):
    engine.seek(0, 1)
    engine.room = False
    engine.arrive(engine.fetch(0, 10))
    assert engine.consumer.asked[-1] == ("pause", 0)
