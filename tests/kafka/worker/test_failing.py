"""Workers that are killed, stopped, fenced, or told to end: nothing is lost, nothing is written twice."""

import signal
import time

import pytest

from qml_processors.worker.kafka_store import FAULT_POINTS
from tests.waiting import wait_for
from tests.workers import SESSION_SECONDS


def test_after_a_kill_the_other_worker_takes_over(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=4)
    a, b = fleet.start("a"), fleet.start("b")
    wait_for(lambda: len(a.owned()) == len(b.owned()) == 2, "two partitions each", 40)
    fleet.append(source.events(2000))
    wait_for(lambda: a.total("qml_runner_events_total") > 0, "some work")
    a.kill()
    began = time.monotonic()
    fleet.append(source.events(800))
    fleet.wait_until_processed()
    assert time.monotonic() - began < SESSION_SECONDS + 5
    assert_exact(fleet)
    wait_for(lambda: b.owned() == {0, 1, 2, 3}, "all partitions")


@pytest.mark.parametrize("point", FAULT_POINTS)
def test_a_kill_at_any_step_of_a_transaction_leaves_all_or_nothing(make_fleet, source, assert_exact, point):
    fleet = make_fleet(partitions=2)
    fleet.append(source.events(1000))
    worker = fleet.start("killed", point=point, number=2, pace={"batch": 100})
    assert worker.wait(40) == -signal.SIGKILL
    again = fleet.start("again")
    fleet.wait_until_processed()
    assert assert_exact(fleet) > 10
    assert again.stop() == 0


def test_a_zombie_is_fenced_and_writes_nothing(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=1)
    fleet.append(source.events(600))
    zombie = fleet.start("zombie", point="outputs sent", number=3, signal=signal.SIGSTOP, pace={"batch": 100})
    wait_for(lambda: stopped(zombie.process.pid), "it stands in the middle of a transaction", 40)
    heir = fleet.start("heir")
    fleet.wait_until_processed(40)
    findings = fleet.read("findings")
    zombie.signal(signal.SIGCONT)
    assert zombie.wait(40) == 70
    last = zombie.said().splitlines()[-1]
    assert last.startswith("quantum-mlops worker: ")
    assert "taken over" in last
    assert fleet.read("findings") == findings
    assert_exact(fleet)
    fleet.append(source.events(100))
    fleet.wait_until_processed()
    assert heir.stop() == 0
    assert_exact(fleet)


def test_a_rolling_restart_hands_over_without_waiting_for_the_session(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=2)
    a = fleet.start("a")
    a.ready()
    b = fleet.start("b")
    b.ready()
    fleet.append(source.events(500))
    assert a.stop() == 0
    began = time.monotonic()
    fleet.append(source.events(500))
    fleet.wait_until_processed()
    assert time.monotonic() - began < SESSION_SECONDS
    assert b.stop() == 0
    assert_exact(fleet)


def test_a_static_member_keeps_its_partitions_through_a_short_restart(make_fleet, source, assert_exact):
    fleet = make_fleet(partitions=2)
    a, b = fleet.start("a", instance="a"), fleet.start("b", instance="b")
    wait_for(lambda: len(a.owned()) == len(b.owned()) == 1, "one partition each", 40)
    owned, rebalances = a.owned(), b.total("qml_worker_rebalances_total")
    assert a.stop() == 0
    a = fleet.start("a", instance="a")
    a.ready()
    wait_for(lambda: a.owned() == owned, "the same partitions")
    assert b.total("qml_worker_rebalances_total") == rebalances
    fleet.append(source.events(300))
    fleet.wait_until_processed()
    assert_exact(fleet)


def stopped(pid):
    """Return whether the kernel says that the process is stopped."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - no path of ours
        return file.read().rpartition(")")[2].split()[0] == "T"
