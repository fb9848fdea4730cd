"""A fleet of workers on fresh topics, and events of some projects that open and close findings."""

import pytest

from quantum_mlops.clock import system_clock
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from tests.workers import Fleet

PROJECTS = tuple(f"project-{number}" for number in range(8))


class Source:
    """Metrics of some projects; each project's loss goes over the limit and back every ten events."""

    def __init__(self):
        self.number = 0

    def events(self, count, projects=PROJECTS):
        found = []
        for _ in range(count):
            project = projects[self.number % len(projects)]
            turn = self.number // len(projects)
            found.append(
                Event(
                    id=f"{self.number:016x}", source="qml://lab/0123456789ab/0", type=type_name("metric.logged"),
                    time=system_clock(), partitionkey=project, project=project, context=Context(runid=f"{project}-{turn % 3}"),
                    data=MetricLogged(values={"loss": 2.0 if turn % 10 < 3 else 0.5}),
                )
            )  # fmt: skip
            self.number += 1
        return found


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def make_fleet(kafka, prefix, tmp_path):
    """Return a function that makes the fleet; it takes what `Fleet` takes. All processes end with the test."""
    fleets = []
    rules = Rules(threshold=[ThresholdRule(name="HighLoss", metric="loss", above=1.0)])

    def make(**options):
        fleets.append(Fleet(kafka, prefix, tmp_path, **({"rules": rules} | options)))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def assert_exact():
    """Return a function: what was written is what one uninterrupted run derives, each once."""

    def check(fleet):
        expected = fleet.derived()
        for stream, wanted in (("findings", expected.findings), ("summaries", expected.summaries)):
            found = fleet.read(stream)
            assert len({event.key for event in found}) == len(found), f"{stream} twice"
            without = {event.key: event for event in wanted}
            assert {event.key: event for event in found} == without
        assert len(fleet.records("dead_letters")) == len(expected.dead_letters)
        return len(expected.findings)

    return check
