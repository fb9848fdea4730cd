"""The engine faust by itself, on a real broker: where it begins, what it vouches for, how it ends."""

import asyncio
import time

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from msgspec.structs import replace

from qml_processors.worker import faust_delivery
from qml_processors.worker.faust_delivery import FaustDelivery
from qml_processors.worker.handover import Handover
from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create
from quantum_mlops.transports.kafka.transaction import Parcel, Producer
from tests.broker import USERS
from tests.waiting import wait_for
from tools.kafka.broker import free_ports


class Owner:
    """Stands where the main thread stands: takes chunks and changes."""

    def __init__(self, settings):
        self.chunks = []
        self.room = True
        self.loop = KafkaLoop(settings.servers)
        self.handover = Handover(self._accept)
        self.delivery = FaustDelivery(self.loop, settings)
        self.delivery.start(self.handover)

    def _accept(self, chunk):
        self.chunks.append(chunk)
        return self.room

    def wait_until_assigned(self, partitions, seconds=40):
        def is_assigned():
            return any(change.assigned and change.partitions == partitions for change in self.take_changes())

        wait_for(is_assigned, "the assignment", seconds)

    def take_changes(self):
        changes = self.handover.changes()
        for change in changes:
            change.done()
        return changes

    def offsets(self, epoch):
        return [record.offset for chunk in self.chunks if chunk.epoch == epoch for record in chunk.records]

    def wait_for_offsets(self, epoch, offsets):
        wait_for(lambda: self.offsets(epoch) == list(offsets), f"offsets {offsets}; there are {self.offsets(epoch)}")

    def close(self):
        self.delivery.stop(8)
        self.loop.close()


@pytest.fixture
def settings(kafka, prefix):
    return KafkaSettings(
        bootstrap_servers=(kafka,), topic_prefix=prefix, group=f"{prefix}group", session_timeout_ms=6000
    )


@pytest.fixture
def make_owner(settings):
    owners = []

    def make(**more):
        owners.append(Owner(replace(settings, **more)))
        return owners[-1]

    yield make
    for owner in owners:
        owner.close()


@pytest.fixture
def append(settings):
    """Return a function that appends records to partition 0, and one that deletes those before an offset."""
    asyncio.run(create(settings, 1))
    loop, producer = KafkaLoop(settings.servers), Producer(settings)
    loop.run(producer.open(), "connecting")
    place = (Topics(settings.topic_prefix).events, 0)

    def append_values(count):
        loop.run(producer.send([Parcel(place, [(None, b"%d" % n, []) for n in range(count)])]), "appending")

    yield append_values
    loop.run(producer.close(), "closing")
    loop.close()


def test_nothing_comes_before_the_first_seek_then_all_from_there(make_owner, append):
    append(50)
    owner = make_owner()
    owner.wait_until_assigned({0})
    append(10)
    time.sleep(1.0)
    assert owner.chunks == []
    owner.delivery.seek(0, 20, 1)
    owner.wait_for_offsets(1, range(20, 60))
    assert owner.chunks[0].start == 20
    assert owner.chunks[-1].end == 60
    owner.delivery.seek(0, 5, 2)
    owner.wait_for_offsets(2, range(5, 60))
    append(3)
    owner.wait_for_offsets(2, range(5, 63))
    assert owner.delivery.dropped == 0


def test_a_full_partition_waits_until_it_is_resumed(make_owner, append):
    append(5)
    owner = make_owner()
    owner.room = False
    owner.wait_until_assigned({0})
    owner.delivery.seek(0, 0, 1)
    owner.wait_for_offsets(1, range(5))
    append(5)
    time.sleep(1.0)
    assert owner.offsets(1) == list(range(5))
    owner.room = True
    owner.delivery.resume(0)
    owner.wait_for_offsets(1, range(10))


def test_a_fetch_that_faust_dropped_is_made_again(make_owner, append, monkeypatch):
    append(2500)
    owner = make_owner()
    owner.wait_until_assigned({0})
    wrap, fetches = owner.delivery.wrap, 0

    async def lose_the_second(found):
        nonlocal fetches
        wrapped = await wrap(found)
        fetches += 1
        return {} if fetches == 2 else wrapped

    monkeypatch.setattr(owner.delivery, "wrap", lose_the_second)
    owner.delivery.seek(0, 0, 1)
    owner.wait_for_offsets(1, range(2500))
    assert owner.delivery.dropped == 1
    assert fetches > 3


def test_where_the_log_starts_later_it_vouches_for_nothing_before(make_owner, append, settings):
    append(40)

    async def delete():
        client = AIOKafkaAdminClient(bootstrap_servers=settings.servers)
        await client.start()
        try:
            at = TopicPartition(Topics(settings.topic_prefix).events, 0)
            await client.delete_records({at: RecordsToDelete(before_offset=30)})
        finally:
            await client.close()

    asyncio.run(delete())
    owner = make_owner()
    owner.wait_until_assigned({0})
    owner.delivery.seek(0, 10, 1)
    owner.wait_for_offsets(1, range(30, 40))
    assert owner.chunks[0].start is None


def test_the_hint_is_committed_and_nothing_else_is(make_owner, append, settings):
    append(20)
    owner = make_owner()
    owner.wait_until_assigned({0})
    owner.delivery.seek(0, 0, 1)
    owner.wait_for_offsets(1, range(20))
    at = TopicPartition(Topics(settings.topic_prefix).events, 0)

    async def committed():
        client = AIOKafkaAdminClient(bootstrap_servers=settings.servers)
        await client.start()
        try:
            found = await client.list_consumer_group_offsets(settings.group)
        finally:
            await client.close()
        return found[at].offset if at in found else None

    time.sleep(3.5)  # Faust commits every 2.8 s what it was told to
    assert asyncio.run(committed()) is None
    owner.delivery.hint({0: 7})
    wait_for(lambda: asyncio.run(committed()) == 7, "the hint")


def test_it_signs_in_by_tls_and_scram(make_owner, secure_broker, tmp_path):
    word = tmp_path / "word"
    word.touch(mode=0o600)
    word.write_text(USERS["alice"])
    plain = KafkaSettings(bootstrap_servers=(secure_broker.bootstrap,), topic_prefix="faust.", group="faust")
    asyncio.run(create(plain, 1))
    access = {
        "bootstrap_servers": (secure_broker.bootstraps["scram"],), "topic_prefix": "faust.", "security_protocol": "SASL_SSL",
        "ssl_cafile": str(secure_broker.authority.file), "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "alice",
        "sasl_password_file": str(word),
    }  # fmt: skip
    make_owner(**access).wait_until_assigned({0})


def test_a_broker_that_is_not_there_is_told_without_a_traceback(make_owner, capfd):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    error = wait_for_failure(make_owner(bootstrap_servers=(address,)))
    assert address in str(error)
    assert "cannot be reached" in str(error)
    assert "Traceback" not in capfd.readouterr().err


def test_a_group_that_refuses_us_is_told_although_faust_would_wait_for_ever(make_owner, append):
    error = wait_for_failure(make_owner(session_timeout_ms=1000))  # shorter than brokers take
    assert "session" in str(error).lower()


@pytest.mark.parametrize("stage", ["an assignment", "a fetch"])
def test_where_faust_goes_silent_the_engine_ends(make_owner, append, monkeypatch, stage):
    monkeypatch.setattr(faust_delivery, "_SILENT_SECONDS", 2.0)
    owner = make_owner()
    if stage == "an assignment":
        monkeypatch.setattr(owner.delivery, "tell", lambda: None)
    else:
        monkeypatch.setattr(owner.delivery, "is_fetching", lambda: None)
        owner.wait_until_assigned({0})
        owner.delivery.seek(0, 0, 1)
    assert "Faust has not fetched for 2 s" in str(wait_for_failure(owner))


def wait_for_failure(owner, seconds=30):
    """Return what the engine failed with."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            owner.take_changes()
        except (ConfigError, LogError) as error:
            return error
        time.sleep(0.05)
    raise AssertionError(f"no failure within {seconds} s")
