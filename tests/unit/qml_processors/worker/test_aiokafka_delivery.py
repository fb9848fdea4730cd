"""How long a fetch may wait at the broker: short while a partition is left out or busy, long when all is quiet."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher

from qml_processors.worker.aiokafka_delivery import AiokafkaDelivery
from qml_processors.worker.handover import Handover
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings

SHORT, LONG = 20, 500


class Consumer:
    """What the delivery uses of aiokafka's consumer when partitions come and are sought."""

    def __init__(self) -> None:
        self._fetcher = SimpleNamespace(_fetch_max_wait_ms=0)
        self.paused: set[int] = set()

    @property
    def wait_ms(self) -> int:
        """How long the next fetch would wait."""
        return int(self._fetcher._fetch_max_wait_ms)

    def assignment(self) -> set[TopicPartition]:
        """Return the partitions of the group's member."""
        return {TopicPartition("qml.events.v1", number) for number in range(2)}

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch none of them."""
        self.paused |= {at.partition for at in partitions}

    def resume(self, at: TopicPartition) -> None:
        """Fetch it again."""
        self.paused.discard(at.partition)

    def seek(self, at: TopicPartition, offset: int) -> None:
        """Go there."""


class Wiring:
    """A delivery with a consumer and a clock of the test's."""

    def __init__(self, loop: KafkaLoop) -> None:
        self.now = 100.0
        self.consumer = Consumer()
        self.delivery = AiokafkaDelivery(loop, KafkaSettings(bootstrap_servers=("127.0.0.1:1",)))
        parts = vars(self.delivery)
        parts["_consumer"], parts["_running"] = self.consumer, SimpleNamespace(time=lambda: self.now)
        parts["_handover"] = Handover(lambda _chunk: True)

    def fetched(self, records: int, seconds: float) -> int:
        """Let a fetch end, `seconds` after the last thing; return how long the next may wait."""
        self.now += seconds
        self.delivery._pace(records)
        return self.consumer.wait_ms


@pytest.fixture
def wiring() -> Iterable[Wiring]:
    loop = KafkaLoop("nowhere")
    yield Wiring(loop)
    loop.close()


def test_aiokafka_still_asks_its_fetcher_how_long_a_fetch_may_wait() -> None:
    assert "_fetch_max_wait_ms" in Fetcher._get_actions_per_node.__code__.co_names


def test_fetches_wait_short_until_every_partition_was_sought_and_a_while_longer(wiring: Wiring) -> None:
    delivery = wiring.delivery
    delivery.assign([0, 1])
    assert wiring.consumer.paused == {0, 1}
    assert wiring.fetched(0, 10.0) == SHORT
    delivery._do_seek(0, 5, 1)
    assert wiring.fetched(0, 10.0) == SHORT
    delivery._do_seek(1, 5, 1)
    assert wiring.consumer.paused == set()
    assert wiring.fetched(0, 1.0) == SHORT
    assert wiring.fetched(0, 2.0) == LONG


def test_many_records_make_fetches_wait_short_and_a_tick_a_partition_does_not(wiring: Wiring) -> None:
    assert wiring.fetched(12, 10.0) == LONG
    assert wiring.fetched(1000, 1.0) == SHORT
    assert wiring.fetched(12, 1.0) == SHORT
    assert wiring.fetched(12, 2.0) == LONG
