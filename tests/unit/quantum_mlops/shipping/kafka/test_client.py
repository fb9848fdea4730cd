"""What is sent again, and what is not, where a broker takes only a part; the broker is played by `Broker`."""

import msgspec
import pytest
from aiokafka.errors import MessageSizeTooLargeError, NotEnoughReplicasError, TopicAuthorizationFailedError

from quantum_mlops.codec import encode
from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.events import Context, Event, UnknownData
from quantum_mlops.shipping.kafka.address import parse_kafka_address
from quantum_mlops.shipping.kafka.client import KafkaClient, _Connection
from quantum_mlops.shipping.kafka.outbox import Sent

PARTITIONS = 3


class Loop:
    """Takes what a coroutine would have returned."""

    def run(self, returned):
        return returned

    def close(self):
        pass


class Broker:
    """`faults` are errors by partition; records above `most_bytes` together are too many."""

    def __init__(self):
        self.faults = {}
        self.most_bytes = 10**9
        self.taken = []
        self.connections = 0

    def send(self, records):
        sent = []
        for partition in range(PARTITIONS):
            mine = [record for record in records if record.partition == partition]
            error = self.faults.get(partition)
            while mine and error is None:
                batch, mine = self.cut(mine)
                if sum(len(record.value) for record in batch) > self.most_bytes:
                    error, mine = MessageSizeTooLargeError(), batch
                else:
                    sent.append(Sent(batch, None))
                    self.taken += [record.value for record in batch]
            if error is not None and mine:
                sent.append(Sent(mine, error))
        return sent

    def cut(self, records):
        """Return the first batch, as long as the client has learned to make them, and the rest."""
        batch = []
        for record in records:
            if batch and sum(len(one.value) for one in batch) + len(record.value) > self.batch_bytes:
                break
            batch.append(record)
        return batch, records[len(batch) :]

    def close(self, *, broken):
        pass


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def client(broker, monkeypatch):
    client = KafkaClient(parse_kafka_address("kafka://k1"), {})

    def connect():
        broker.connections += 1
        broker.batch_bytes = client._batch_bytes
        client._connection = _Connection(Loop(), broker, "qml.events.v1", PARTITIONS)
        return client._connection

    monkeypatch.setattr(client, "_connect", connect)
    return client


def events(number, sizes=None):
    return [
        encode(Event(
            id=f"{index:016x}", source="s", type="com.x.y", time=0, partitionkey=f"k{index}", project="iris", context=Context(),
            data=UnknownData(msgspec.Raw(b'{"x":"%s"}' % (b"x" * (sizes or {}).get(index, 10)))),
        ))
        for index in range(number)
    ]  # fmt: skip


def test_what_one_partition_took_is_not_sent_again_when_another_one_is_back(client, broker):
    batch = events(60)
    broker.faults = {1: NotEnoughReplicasError()}
    for _ in range(2):
        with pytest.raises(RetryableError, match="cannot take events now: NotEnoughReplicasError"):
            client.post(batch)
    assert 0 < len(broker.taken) < 60
    broker.faults = {}
    assert client.post(batch) == []
    assert sorted(broker.taken) == sorted(batch)


def test_after_an_error_nothing_is_sent_on_the_same_connection(client, broker):
    client.post(events(9))
    client.post(events(9))
    assert broker.connections == 1
    broker.faults = {0: NotEnoughReplicasError()}
    with pytest.raises(RetryableError):
        client.post(events(9))
    broker.faults = {}
    client.post(events(9))
    assert broker.connections == 2


def test_the_same_events_given_once_more_after_a_success_are_sent_once_more(client, broker):
    client.post(events(5))
    client.post(events(5))
    assert len(broker.taken) == 10


def test_a_missing_right_is_for_a_person_to_mend(client, broker):
    broker.faults = {2: TopicAuthorizationFailedError("qml.events.v1")}
    with pytest.raises(PermanentError, match="the right WRITE on that topic"):
        client.post(events(30))


def test_only_what_is_too_large_by_itself_is_rejected(client, broker):
    batch = events(40, sizes={7: 6000, 31: 9000})
    broker.most_bytes = 5000
    rejected = client.post(batch)
    assert sorted(one.index for one in rejected) == [7, 31]
    assert sorted(broker.taken) == sorted(data for index, data in enumerate(batch) if index not in (7, 31))


def test_a_topic_that_takes_next_to_nothing_rejects_all_and_ends(client, broker):
    broker.most_bytes = 100
    assert sorted(one.index for one in client.post(events(30))) == list(range(30))


def test_abandoning_and_closing_without_a_connection_do_nothing(client):
    client.abandon()
    client.close()
    client.close()
