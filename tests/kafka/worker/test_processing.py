"""Workers process what was produced, once, whoever does it and however often it starts."""

from msgspec.structs import replace

from qml_processors.runner import tick_event
from quantum_mlops.clock import system_clock
from quantum_mlops.transports.partitioning import partition_of
from tests.waiting import wait_for


def test_one_worker_processes_what_was_produced(make_fleet, source, assert_exact):
    fleet = make_fleet()
    fleet.append(source.events(1500))
    worker = fleet.start()
    line = worker.ready()
    assert "partitions=0,1,2" in line
    fleet.wait_until_processed()
    assert assert_exact(fleet) > 10
    wait_for(lambda: worker.total("qml_runner_events_total") == 1500, "the figures")
    wait_for(lambda: worker.total("qml_worker_commit_seconds_count") >= 3, "the commits among the figures")
    figures = worker.metrics()
    assert worker.owned() == {0, 1, 2}
    assert figures['qml_runner_lag_records{partition="0"}'] <= 1500
    assert worker.stop() == 0
    assert worker.said().splitlines()[-1] == "quantum-mlops worker stopped"


def test_a_restart_goes_on_where_the_last_one_ended(make_fleet, source, assert_exact):
    fleet = make_fleet()
    fleet.append(source.events(700))
    first = fleet.start("first")
    fleet.wait_until_processed()
    assert first.stop() == 0
    fleet.append(source.events(700))
    second = fleet.start("second")
    fleet.wait_until_processed()
    assert_exact(fleet)
    wait_for(lambda: second.total("qml_runner_events_total") == 700, "only what is new")
    assert second.total("qml_worker_losses_total") == 0


def test_two_workers_share_the_partitions_and_a_third_joins(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=6)
    workers = [fleet.start("a")]
    workers[0].ready()
    fleet.append(source.events(1000))
    for name in ("b", "c"):
        workers.append(fleet.start(name))
        workers[-1].ready()
        fleet.append(source.events(500))
    wait_for(lambda: sum(len(one.owned()) for one in workers) == 6, "every partition owned once")
    assert all(len(one.owned()) == 2 for one in workers)
    fleet.wait_until_processed()
    assert_exact(fleet)
    assert [one.stop() for one in workers] == [0, 0, 0]


def test_what_is_no_event_and_what_lies_wrong_does_not_stop_the_stream(make_fleet, source, assert_exact):
    fleet = make_fleet()
    events = source.events(300)
    fleet.append(events[:100])
    strangers = [event for event in events[100:200] if partition_of(event.partitionkey, 3) != 0]
    fleet.append(events[100:200], partition=0)
    fleet.append_bytes(b"no event", 1)
    fleet.append_bytes(b"{" * 900_000, 1)
    fleet.append_bytes(None, 2)
    fleet.append([*events[200:], *events[250:]])
    fleet.everywhere(tick_event("qml://daemon/test/1", 1, system_clock()))
    worker = fleet.start()
    fleet.wait_until_processed()
    wait_for(lambda: worker.total("qml_worker_misplaced_total") == len(strangers) > 0, "the misplaced counted")
    wait_for(lambda: worker.total("qml_runner_events_total") == 300, "every event once")
    assert worker.total("qml_worker_undecodable_total") == 3
    assert worker.total("qml_runner_duplicates_total") == 50
    assert len(fleet.records("dead_letters")) == 3
    forwarded = [record.event for record in fleet.records("events") if hasattr(record.event, "key")]
    homes = [event.key for event in forwarded]
    assert all(homes.count(event.key) == 2 for event in strangers if event not in events[250:])
    worker.kill()
    again = fleet.start("again")
    again.ready()
    fleet.append(source.events(30))
    fleet.wait_until_processed()
    assert len(fleet.records("dead_letters")) == 3
    assert again.total("qml_worker_misplaced_total") == 0


def test_findings_are_those_of_the_embedded_runner(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=1)
    events = source.events(400)
    fleet.append([replace(event, id=f"x{n}") if n % 50 == 0 else event for n, event in enumerate(events)])
    fleet.start()
    fleet.wait_until_processed()
    assert assert_exact(fleet) > 0
