"""One log, every home: memory, SQLite, workers on Kafka. Findings, summaries, ids, contents, states are equal."""

import random

import pytest

from qml_processors.runner import Runner
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog
from tests.kafka.counting import all_processors, read_counts
from tests.kafka.crew import Crew
from tests.kafka.derived import collect, compare, read_stream
from tests.kafka.story import is_for_all, mixed_story, tell_truth
from tests.week import read_week

SEED = 20261121
EVENTS = 100_000
HOMES = [("aiokafka", 1), ("aiokafka", 3), ("faust", 2)]

pytestmark = pytest.mark.timeout(400)


def fill(log, items):
    """Append the events of a story to a log in this process; garbage has no way in."""
    batch = []
    for item in items:
        if not isinstance(item, Event):
            continue
        if is_for_all(item):
            log.append(batch)
            batch = []
            for partition in range(log.partitions):
                log.append([item], partition=partition)
        else:
            batch.append(item)
    log.append(batch)


def process(log, chance):
    """Run the processors over a log in this process, and end and begin again on the way."""
    runner = None
    done = 1
    while done:
        if runner is None or chance.random() < 0.01:
            runner = Runner(log, all_processors())  # the one before is gone without a word
            assert all(runner.open(partition) for partition in range(log.partitions))
        done = runner.process_batch(chance.choice([50, 500, 1000]))
    runner.close()


class Told:
    """A story, and what the memory log makes of it."""

    def __init__(self, items):
        self.items = items
        log = MemoryLog()
        fill(log, items)
        runner = Runner(log, all_processors())
        assert runner.open(0)
        while runner.process_batch(1000):
            pass
        runner.close()
        self.expected = collect(log)
        assert log.end(Stream.DEAD_LETTERS, 0) == 0
        assert read_counts(self.expected.states) == tell_truth(items)


@pytest.fixture(scope="module", params=["week", "mixed"])
def told(request):
    return Told(read_week() if request.param == "week" else mixed_story(SEED, EVENTS))


def test_the_stories_are_worth_telling(told):
    assert len(told.items) >= 27_000
    rules = {event.split(b'"rule":"')[1].split(b'"')[0] for event in told.expected.findings}
    assert len(rules) >= 7
    assert len(told.expected.summaries) >= 100


@pytest.mark.parametrize("partitions", [1, 4])
def test_the_embedded_runner_on_sqlite_finds_the_same(told, tmp_path, partitions):
    log = SqliteLog(tmp_path / "log.sqlite", partitions=partitions)
    fill(log, told.items)
    process(log, random.Random(SEED))
    compare(collect(log), told.expected)
    log.close()


@pytest.mark.parametrize(("engine", "workers"), HOMES)
def test_workers_on_kafka_find_the_same(told, tmp_path, kafka, prefix, engine, workers):
    with Crew(tmp_path, kafka, prefix, engine=engine, batch=1000) as crew:
        crew.start(workers)
        crew.send(told.items)
        crew.finish(240)
        assert crew.ended == []
        letters = [letter.data for letter in read_stream(crew.log, Stream.DEAD_LETTERS)]
        assert sorted(letters) == sorted(item for item in told.items if not isinstance(item, Event))
        compare(collect(crew.log), told.expected)
