"""The engine faust: workers process what was produced, once, and share partitions."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from quantum_mlops.codec import encode
from tests.waiting import wait_for


def test_a_worker_processes_what_was_produced_and_another_goes_on(make_fleet, source, assert_exact):
    fleet = make_fleet(engine="faust")
    fleet.append(source.events(1500))
    worker = fleet.start()
    assert "engine=faust partitions=0,1,2" in worker.ready()
    fleet.wait_until_processed()
    assert assert_exact(fleet) > 10
    wait_for(lambda: worker.total("qml_runner_events_total") == 1500, "the figures")
    fleet.append(source.events(500))
    fleet.wait_until_processed()
    assert worker.stop() == 0
    assert worker.said().splitlines()[-1] == "quantum-mlops worker stopped"
    assert " INFO " not in worker.said()  # Faust tells of each of its services
    fleet.append(source.events(700))
    again = fleet.start("again")
    fleet.wait_until_processed()
    wait_for(lambda: again.total("qml_runner_events_total") == 700, "nothing again")
    assert_exact(fleet)
    assert again.stop() == 0
    assert_exact(fleet)


def test_workers_share_the_partitions_and_one_without_any_is_ready(make_fleet, source, assert_exact):
    fleet = make_fleet(engine="faust", partitions=2)
    a = fleet.start("a")
    a.ready()
    fleet.append(source.events(1000))
    b = fleet.start("b")
    b.ready()
    fleet.append(source.events(500))
    wait_for(lambda: len(a.owned()) == len(b.owned()) == 1, "a partition each", 40)
    c = fleet.start("c")
    c.ready()
    fleet.append(source.events(500))
    wait_for(lambda: sum(len(one.owned()) for one in (a, b, c)) == 2, "every partition owned once", 40)
    fleet.wait_until_processed()
    assert_exact(fleet)
    assert [one.stop() for one in (a, b, c)] == [0, 0, 0]


def test_both_engines_work_in_one_group_so_a_fleet_may_change_it_worker_by_worker(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=4)
    old = fleet.start("old")
    assert "engine=aiokafka" in old.ready()
    fleet.append(source.events(500))
    fleet.config.write_text(fleet.config.read_text().replace('"aiokafka"', '"faust"'))
    new = fleet.start("new")
    assert "engine=faust" in new.ready()
    wait_for(lambda: len(old.owned()) == len(new.owned()) == 2, "two partitions each", 40)
    fleet.append(source.events(500))
    assert old.stop() == 0
    fleet.append(source.events(500))
    fleet.wait_until_processed()
    assert_exact(fleet)
    assert new.stop() == 0


@pytest.mark.parametrize("engine", ["aiokafka", "faust"])
def test_an_aborted_transaction_in_the_input_is_not_seen(make_fleet, source, assert_exact, engine):
    fleet = make_fleet(engine=engine, partitions=1)
    worker = fleet.start()
    worker.ready()
    fleet.append(source.events(50))
    transact(fleet, source.events(40), commit=False)
    fleet.append(source.events(30))
    transact(fleet, source.events(20), commit=True)
    transact(fleet, source.events(10), commit=False)
    fleet.append(source.events(5))
    fleet.wait_until_processed()
    wait_for(lambda: worker.total("qml_runner_events_total") == 50 + 30 + 20 + 5, "what was committed")
    assert_exact(fleet)
    assert worker.total("qml_worker_doubts_total") == 0
    assert worker.stop() == 0


def transact(fleet, events, *, commit):
    """Append events to partition 0 in one transaction, and end it."""

    async def write():
        client = AIOKafkaProducer(
            bootstrap_servers=fleet.settings.servers, transactional_id=f"{fleet.settings.group}-test"
        )
        await client.start()
        try:
            await client.begin_transaction()
            for event in events:
                await client.send(fleet.topics.events, encode(event), partition=0)
            await client.flush()
            await (client.commit_transaction() if commit else client.abort_transaction())
        finally:
            await client.stop()

    asyncio.run(write())
