"""States do not pile up: what ended is forgotten, its rows go, the broker compacts, and a recovery reads no more for it.

The bound, after compaction: twice the rows that live and `SPARE_ROWS` more, packed in segments, an index and a
watermark, and what was written since the cleaner last came. None of it depends on how many runs there ever were.
"""

import asyncio
import time
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from qml_processors.runner import Runner, RunnerConfig, config_event, load_processors, rows, tick_event
from qml_processors.runner.segments import SPARE_ROWS
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.errors import LogError
from quantum_mlops.events import Context, Event, MetricLogged, RunEnded, RunStarted, type_name
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.kafka import state
from quantum_mlops.transports.kafka.fetch import LATEST, Fetcher
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.state import StateReader
from quantum_mlops.transports.kafka.topics import Topics, create
from tests.waiting import wait_for

QUICK = {
    "segment.ms": "100", "min.cleanable.dirty.ratio": "0", "max.compaction.lag.ms": "100", "delete.retention.ms": "100",
}  # fmt: skip
START = 1_700_000_000 * SECOND
RUNS = 100  # of a month
ROW_BYTES = 250  # of a series or a source of a short run, packed; measured: 76 to 150
RECOVERY_RECORDS = 80
SERVICE = "qml://service/000000000001/0"


class Lab:
    """Runs that start, measure and end; a month later the next ones. Events bear their time, as an import's do."""

    def __init__(self, settings):
        self.now = START
        self.runs = self.ticks = 0
        self.log = KafkaLog(settings)
        rules = Rules(threshold=[ThresholdRule(name="HighLoss", metric="loss", above=1.0)])
        self.put([config_event(rules, SERVICE, effective=0, time=START)])
        self.runner = Runner(self.log, load_processors(), RunnerConfig())
        assert self.runner.open(0)

    def put(self, events):
        self.log.append([replace(event, ingestedtime=self.now) for event in events], partition=0)

    def process(self):
        while self.runner.process_batch(500):
            pass

    def live_a_month(self):
        for run in range(self.runs, self.runs + RUNS):
            made = [
                RunStarted(name="vqc", host="lab"),
                MetricLogged(values={"loss": 2.0 if run % 2 else 0.5}),
                MetricLogged(values={"loss": 0.4}),
                RunEnded(status="completed", duration_seconds=60.0),
            ]
            kinds = ("run.started", "metric.logged", "metric.logged", "run.ended")
            self.put(
                Event(
                    id=f"{number:016x}", source=f"qml://lab/{run:012x}/1", type=type_name(kind), time=self.now,
                    partitionkey="iris", project="iris", context=Context(runid=f"run-{run}"), data=data,
                )
                for number, (kind, data) in enumerate(zip(kinds, made, strict=True))
            )  # fmt: skip
            self.now += MINUTE
        self.runs += RUNS
        self.process()
        alive = self.series()
        for pause in (10 * MINUTE, 6 * HOUR, 2 * DAY, 9 * DAY, 20 * DAY, HOUR):
            self.now += pause
            self.put([tick_event(SERVICE, self.ticks, self.now)])
            self.ticks += 1
            self.process()
        return alive

    def series(self):
        (stats,) = self.runner.stats().partitions
        return stats.series

    def settle(self):
        """Write what is dirty, then something now and then, as ticks do: the cleaner leaves the newest segment."""
        self.runner.checkpoint(0, 30.0)
        for _ in range(4):
            time.sleep(0.15)  # longer than segment.ms: the next record begins a segment
            self.now += SECOND
            self.put([tick_event(SERVICE, self.ticks, self.now)])
            self.ticks += 1
            self.process()


@dataclass
class Reading:
    """What a recovery reads, and how many records were ever written."""

    records: int
    bytes: int
    segments: list[int]
    written: int


def read(settings, partition=0):
    async def run():
        fetcher, topic = Fetcher(settings), Topics(settings.topic_prefix).state
        reader = StateReader(fetcher, topic)
        try:
            found = await reader.read(partition)
            keys = [rows.decode_key(key) for key in found.rows]
            segments = [number for kind, number, *_ in keys if kind == rows.SEGMENT]
            written = await fetcher.offset_at((topic, partition), LATEST)
            return Reading(reader.records_read, reader.bytes_read, segments, written)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def recover(lab, settings):
    """Recover with a new log and runner; return the seconds and the series that it found. The lab goes on after it."""
    log = KafkaLog(settings)
    try:
        runner = Runner(log, load_processors(), RunnerConfig())
        assert runner.open(0)
        (stats,) = runner.stats().partitions
        assert runner.states() == lab.runner.states()
    finally:
        log.close()
    lab.log.release_partition(0)
    assert lab.runner.open(0)
    return stats.recovery_seconds, stats.series


async def read_keys(settings):
    """Return the keys that lie in the topic of states, those of tombstones too."""
    fetcher, keys, offset, end = Fetcher(settings), [], 0, 1
    try:
        while offset < end:
            page = await fetcher.fetch((Topics(settings.topic_prefix).state, 0), offset)
            keys += [record.key for record in page.records]
            offset, end = page.next_offset, page.end
        return keys
    finally:
        await fetcher.close()


@pytest.fixture
def quick(own_broker):
    """Settings of a broker that compacts within a second; its topics are made."""
    broker = own_broker(properties={"log.cleaner.backoff.ms": "200"})
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,), topic_prefix="hygiene.")
    asyncio.run(create(settings, 1, QUICK))
    return settings


@pytest.mark.timeout(240)
def test_a_recovery_reads_no_more_after_four_times_as_many_runs(quick):
    lab, found = Lab(quick), []
    try:
        for months in (4, 12):
            for _ in range(months):
                assert lab.live_a_month() > RUNS  # several series a run
                assert lab.series() <= 5  # ended runs expire by rule
            lab.settle()
            wait_for(lambda: read(quick).records <= RECOVERY_RECORDS, "compaction", 30)
            found.append((read(quick), *recover(lab, quick)))
    finally:
        lab.log.close()
    (few, few_seconds, _), (many, many_seconds, series) = found
    bound = ROW_BYTES * (2 * (series + RUNS) + SPARE_ROWS)
    assert many.written > 2.5 * few.written > 10 * RECOVERY_RECORDS  # what would be read without compaction
    assert few.bytes < bound
    assert many.bytes < bound
    assert max(many.segments) > 4 * len(many.segments)  # the others left tombstones
    assert many_seconds < 2 * few_seconds + 1


def test_a_row_cannot_come_back_to_a_reader_that_is_slower_than_its_tombstone(quick, monkeypatch):
    """The danger is real: without the bound such a reader finds the row; with it, it reads again."""
    log, now = KafkaLog(quick), [0.0]
    log.commit(0, Commit(watermark=b"1", rows={b"gone": b"x" * 100}))
    log.commit(0, Commit(watermark=b"2", rows={b"stays": b"y" * 100}))
    monkeypatch.setattr(state, "_PAGE_BYTES", 1)  # one batch at a time

    class Slow(Fetcher):
        """Once the row was read it is deleted, compacted and its tombstone forgotten before the next page."""

        async def fetch(self, place, offset, max_bytes=1):
            page = await super().fetch(place, offset, max_bytes)
            if any(record.key == b"gone" and record.value for record in page.records):
                await asyncio.to_thread(self.let_time_pass)
            return page

        def let_time_pass(self):
            log.commit(0, Commit(watermark=b"3", rows={b"gone": None}))

            def is_forgotten():
                time.sleep(0.15)
                log.commit(0, Commit(watermark=b"4"))
                return b"gone" not in asyncio.run(read_keys(quick))

            wait_for(is_forgotten, "the tombstone is gone", 60)
            now[0] = 601.0

    async def slow(clock):
        fetcher = Slow(quick)
        try:
            return await StateReader(fetcher, Topics(quick.topic_prefix).state, clock).read(0)
        finally:
            await fetcher.close()

    try:
        with pytest.raises(LogError, match="read it again"):
            asyncio.run(slow(lambda: now[0]))
        assert set(log.checkpoint(0).rows) == {b"stays"}
        log.commit(0, Commit(watermark=b"5", rows={b"gone": b"x" * 100}))
        assert b"gone" in asyncio.run(slow(lambda: 0.0)).rows
    finally:
        log.close()
