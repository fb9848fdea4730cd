"""States of an older version are migrated; those of a newer one are left alone, and said to be."""

import re
import urllib.error
import urllib.request

import pytest

from quantum_mlops.clock import system_clock
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.partitioning import partition_of
from tests.kafka.aging import TELL
from tests.waiting import wait_for
from tests.workers import Fleet

PARTITIONS = 3


@pytest.fixture(params=["aiokafka", "faust"])
def fleet(request, kafka, prefix, tmp_path):
    found = Fleet(kafka, prefix, tmp_path, PARTITIONS, engine=request.param)
    yield found
    found.close()


class Projects:
    """One project in each partition."""

    def __init__(self):
        names = (f"project-{number}" for number in range(1000))
        self.names = {}
        for name in names:
            self.names.setdefault(partition_of(name, PARTITIONS), name)
        self.number = 0

    def events(self, partition, count, metric="loss"):
        name = self.names[partition]
        for _ in range(count):
            self.number += 1
            yield Event(
                id=f"{self.number:016x}", source="qml://lab/0123456789ab/0", type=type_name("metric.logged"),
                time=system_clock(), partitionkey=name, project=name, data=MetricLogged(values={metric: 0.5}),
            )  # fmt: skip


def notices(fleet):
    return {event.partitionkey: event.data.values for event in fleet.read("findings") if event.data.rule == "Counted"}


def is_ready(worker):
    """Return (is it ready, why not)."""
    url = re.search(r"http=(http://\S+)", worker.ready()).group(1)
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310 - our own
            return True, ""
    except urllib.error.HTTPError as error:
        return False, error.read().decode()


def test_states_of_an_older_version_are_migrated(fleet):
    projects = Projects()
    old = fleet.start("old", aging=1)
    for partition in range(PARTITIONS):
        fleet.append(projects.events(partition, 100 + partition))
    fleet.wait_until_processed()
    assert old.stop() == 0
    new = fleet.start("new", aging=2)
    for partition in range(PARTITIONS):
        fleet.append(projects.events(partition, 10))
        fleet.append(projects.events(partition, 1, TELL))
    fleet.wait_until_processed()
    found = {
        projects.names[partition]: {"events": 111.0 + partition, "inherited": 100.0 + partition}
        for partition in range(PARTITIONS)
    }
    assert notices(fleet) == found
    assert is_ready(new)[0]
    new.kill()  # what was migrated is stored as version 2, or migrated again from the same bytes
    again = fleet.start("again", aging=2)
    for partition in range(PARTITIONS):
        fleet.append(projects.events(partition, 1, TELL))
    fleet.wait_until_processed(60)
    assert {name: values["events"] for name, values in notices(fleet).items()} == {
        name: values["events"] + 1 for name, values in found.items()
    }
    assert again.stop() == 0


def test_states_of_a_newer_version_are_left_alone_and_the_others_go_on(fleet):
    projects = Projects()
    new = fleet.start("new", aging=2)
    fleet.append(projects.events(1, 100))
    fleet.wait_until_processed()
    assert new.stop() == 0
    before = fleet.log.peek(1)
    old = fleet.start("old", aging=1)
    for partition in range(PARTITIONS):
        fleet.append(projects.events(partition, 10, TELL))
    wait_for(lambda: set(notices(fleet)) == {projects.names[0], projects.names[2]}, "the others go on", 30)
    (line,) = [line for line in old.said().splitlines() if "given up" in line]
    assert "partition 1 is given up: aging: a state of version 2, this is version 1; run the newer" in line
    assert "Traceback" not in old.said()
    wait_for(lambda: not is_ready(old)[0], "not ready", 10)
    assert "partition 1 is given up" in is_ready(old)[1]
    figures = old.metrics()
    assert [figures[f'qml_runner_given_up{{partition="{number}"}}'] for number in range(3)] == [0, 1, 0]
    assert [figures[f'qml_worker_owner{{partition="{number}"}}'] for number in range(3)] == [1, 0, 1]
    assert old.stop() == 0
    assert fleet.log.peek(1) == before  # not a byte of it was touched
    newest = fleet.start("newest", aging=2)
    fleet.wait_until_processed(60)
    assert notices(fleet)[projects.names[1]]["events"] == 110.0
    wait_for(lambda: is_ready(newest)[0], "ready", 10)
    assert newest.stop() == 0
