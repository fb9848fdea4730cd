"""The worker's loop over an engine and a Kafka in memory: hand-over, pipeline, what ends it, what outlives it."""

import msgspec
import pytest
from msgspec.structs import replace

from qml_processors.runner import Runner, RunnerConfig, config_event, load_processors, replay
from qml_processors.worker.handover import Handover
from qml_processors.worker.worker import Worker, WorkerConfig
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.errors import LogError, LogFencedError
from quantum_mlops.events import UnknownData
from quantum_mlops.transports.base import Stream
from tests.waiting import wait_for

PACE = WorkerConfig(
    batch=10, linger_seconds=0.0, idle_seconds=0.0, look_seconds=0.0, stall_seconds=0.0, patience_seconds=0.05
)


class Bench:
    """A worker whose turns the test takes one by one."""

    def __init__(self, store, engine, pace=PACE):
        self.store = store
        self.engine = engine
        self.said = []
        self.worker = Worker(
            store, engine, lambda log: Runner(log, load_processors(), RunnerConfig(accept_loss=True)), pace,
            self.said.append,
        )  # fmt: skip
        self.handover = self.worker.handover
        engine.start(self.handover)

    def turn(self, times=1):
        for _ in range(times):
            self.worker._turn()

    def assign(self, *partitions):
        self.handover.assign(partitions)
        self.turn(1 + len(partitions))

    def deliver(self, records, partition=0, **more):
        return self.handover.deliver(self.engine.chunk(None, partition=partition, records=records, **more))

    def offset(self, partition=0):
        return self.worker._stats()[partition].offset


@pytest.fixture
def bench(make_store, engine):
    return lambda partitions=1, **pace: Bench(make_store(partitions), engine, replace(PACE, **pace))


@pytest.fixture
def rules():
    return Rules(threshold=[ThresholdRule(name="HighLoss", metric="loss", above=1.0)])


def settle(bench):
    for _ in range(10):
        bench.turn()


def test_what_is_delivered_is_processed_and_committed_as_by_the_embedded_runner(bench, metric, produce, rules):
    home = bench()
    raw = [produce(home.store, config_event(rules, "qml://daemon/t/0", effective=0, time=1))]
    raw += [produce(home.store, metric(number)) for number in range(35)]
    home.assign(0)
    assert home.engine.sought[0] == (0, 0, 1)
    home.deliver(raw[:20])
    home.deliver(raw[20:])
    settle(home)
    assert home.offset() == 36
    expected = replay(home.store.log, load_processors()).findings
    found = [replace(r.event, ingestedtime=None) for r in home.store.log.read(Stream.FINDINGS, 0, 0, 100)]
    assert found == expected != []


def test_nothing_that_waits_in_the_process_is_lost_when_a_batch_ends_early(bench, metric, produce):
    home = bench(batch=7)
    raw = [produce(home.store, metric(number)) for number in range(40)]
    home.assign(0)
    for first in range(0, 40, 13):
        home.deliver(raw[first : first + 13])
        home.turn()
    settle(home)
    assert home.offset() == 40
    assert home.worker._stats()[0].counts.events == 40


def test_a_batch_is_processed_while_the_one_before_is_committed(bench, metric, produce):
    home = bench()
    raw = [produce(home.store, metric(number)) for number in range(30)]
    home.assign(0)
    home.store.held = True
    home.deliver(raw)
    home.turn()
    assert len(home.store.waiting) == 1
    assert home.offset() == 10
    home.store.held = False
    home.store.let_go()
    settle(home)
    assert home.offset() == 30


def test_a_commit_that_is_fenced_ends_the_worker(bench, metric, produce):
    home = bench()
    raw = [produce(home.store, metric(number)) for number in range(5)]
    home.assign(0)
    home.store.owners[0] += 1
    home.deliver(raw)
    with pytest.raises(LogFencedError):
        settle(home)
    assert home.store.log.checkpoint(0).watermark is None


def test_partitions_that_stay_are_kept_in_memory_and_those_that_go_are_let_go(bench, metric, produce):
    home = bench(partitions=3)
    home.assign(0, 1, 2)
    for partition in range(3):
        home.deliver([produce(home.store, metric(n), partition) for n in range(4)], partition=partition)
    settle(home)
    opened = dict(home.store.owners)
    change = home.handover.revoke({0, 1, 2})
    assert not change.is_done()
    home.turn()
    assert change.is_done()
    assert home.worker._stats()[0].dirty == 0
    sought = len(home.engine.sought)
    home.assign(0, 2)
    assert home.store.owners == opened
    assert [(partition, offset) for partition, offset, _ in home.engine.sought[sought:]] == [(0, 4), (2, 4)]
    assert set(home.store.mine) == {0, 2}
    home.deliver([produce(home.store, metric(9), 1)], partition=1)
    settle(home)
    assert set(home.worker._stats()) == {0, 2}


def test_what_is_delivered_after_a_revocation_is_not_processed(bench, metric, produce):
    home = bench()
    home.assign(0)
    raw = [produce(home.store, metric(number)) for number in range(6)]
    home.deliver(raw[:3])
    settle(home)
    home.handover.revoke({0})
    home.turn()
    commits = len(home.store.commits)
    home.deliver(raw[3:])
    settle(home)
    assert len(home.store.commits) == commits
    home.assign(0)
    home.deliver(raw[3:])
    settle(home)
    assert home.offset() == 6


def test_two_workers_one_after_the_other_derive_each_finding_once(make_store, engine, metric, produce, rules):
    store = make_store()
    raw = [produce(store, config_event(rules, "qml://daemon/t/0", effective=0, time=1))]
    raw += [produce(store, metric(number)) for number in range(20)]
    first = Bench(store, engine)
    first.assign(0)
    first.deliver(raw[:12])
    settle(first)
    store.mine.clear()
    second = Bench(store, engine)
    second.assign(0)
    assert engine.sought[-1][:2] == (0, 12)
    second.deliver(raw[5:])
    settle(second)
    keys = [record.event.key for record in store.log.read(Stream.FINDINGS, 0, 0, 100)]
    assert keys == [event.key for event in replay(store.log, load_processors()).findings]
    assert second.worker.log.part(0).feed.repeats == 7


def test_an_event_in_the_wrong_partition_goes_to_its_own(bench, metric, produce):
    home = bench(partitions=3)
    home.assign(0, 1, 2)
    projects = [f"project-{n}" for n in range(12)]
    raw = [produce(home.store, metric(n, project), partition=0) for n, project in enumerate(projects)]
    home.deliver(raw)
    settle(home)
    strangers = [project for project in projects if home.worker.log.partition_of(project) != 0]
    assert home.worker._stats()[0].counts.misplaced == len(strangers) > 0
    sent = [r.event.partitionkey for n in (1, 2) for r in home.store.log.read(Stream.EVENTS, n, 0, 100)]
    assert sorted(sent) == sorted(strangers)


def test_an_event_that_is_too_large_to_be_sent_on_is_dead_lettered(bench, metric, produce):
    home = bench(partitions=3)
    home.assign(0)
    stranger = next(p for p in (f"project-{n}" for n in range(20)) if home.worker.log.partition_of(p) != 0)
    data = UnknownData(msgspec.Raw(b'"%b"' % (b"x" * 65_200)))
    raw = produce(home.store, replace(metric(1, stranger), type="com.example.long", data=data), partition=0)
    raw.value = raw.value.replace(b"xx", b"x" * (66_500 - len(raw.value)), 1)
    home.deliver([raw])
    settle(home)
    assert home.worker._stats()[0].counts.misplaced == 0
    (letter,) = home.store.log.read(Stream.DEAD_LETTERS, 0, 0, 10)
    assert "too large" in letter.event.reason


def test_a_start_of_the_log_that_ran_ahead_is_a_data_loss_and_the_stream_goes_on(bench, metric, produce):
    home = bench()
    home.assign(0)
    raw = [produce(home.store, metric(number)) for number in range(30)]
    home.deliver(raw[:5])
    settle(home)
    rows = home.store.log._rows[Stream.EVENTS, 0]
    del rows[:20]
    home.deliver(raw[20:])
    settle(home)
    stats = home.worker._stats()[0]
    assert (stats.offset, stats.counts.losses, stats.counts.lost) == (30, 1, 15)
    rules = [record.event.data.rule for record in home.store.log.read(Stream.FINDINGS, 0, 0, 100)]
    assert rules == ["DataLoss"]


def test_a_topic_that_was_made_anew_under_its_states_is_refused(bench, metric, produce):
    home = bench()
    home.assign(0)
    home.deliver([produce(home.store, metric(number)) for number in range(8)])
    settle(home)
    home.handover.revoke({0})
    home.turn()
    home.store.log._tails[Stream.EVENTS, 0] = replace(home.store.log._tails[Stream.EVENTS, 0], end=3)
    with pytest.raises(LogError, match="made anew"):
        home.assign(0)


def test_a_partition_that_stands_before_its_end_is_sought_again(bench, metric, produce):
    home = bench()
    home.assign(0)
    raw = [produce(home.store, metric(number)) for number in range(4)]
    home.deliver(raw[:2])
    settle(home)
    assert home.engine.sought[-1][:2] == (0, 2)
    assert home.worker._lookout.stalls(0) > 0
    home.deliver(raw[2:])
    settle(home)
    assert home.offset() == 4
    sought = len(home.engine.sought)
    settle(home)
    assert len(home.engine.sought) == sought
    assert home.engine.hints[-1] == {0: 4}


def test_brokers_that_stay_away_end_the_worker(bench):
    home = bench()
    home.assign(0)
    home.store.broken = "cannot be reached"
    with pytest.raises(LogError, match="no broker for"):
        wait_for(home.turn, "never")


def test_an_engine_that_fails_ends_the_worker(bench):
    home = bench()
    home.assign(0)
    home.handover.fail(LogError("the engine ended"))
    home.handover.fail(LogError("and once more"))
    with pytest.raises(LogError, match="the engine ended"):
        home.turn()


def test_an_end_in_order_leaves_nothing_to_replay_and_no_attempt(bench, metric, produce):
    home = bench()
    raw = [produce(home.store, metric(number)) for number in range(25)]
    ready = []
    turns = iter(range(30))

    def stopping():
        turn = next(turns, None)
        if turn == 0:
            home.handover.assign({0})
        elif turn == 3:
            home.deliver(raw)
        return turn is None

    home.worker.run(stopping, lambda: ready.append(home.worker.report.at))
    assert len(ready) == 1
    assert home.engine.stopped
    assert home.store.log.cursors("runner/attempt/") == {}
    again = Bench(home.store, home.engine)
    again.assign(0)
    assert again.worker._stats()[0].replay_start == again.offset() == 25


def test_a_group_that_never_answers_ends_the_worker(bench):
    home = bench(start_seconds=0.02)
    with pytest.raises(LogError, match="no answer within"):
        home.worker.run(lambda: False, list)


def test_a_broker_that_fails_counts_as_no_attempt_of_the_events(bench, metric, produce):
    home = bench()
    raw = [produce(home.store, metric(number)) for number in range(5)]
    turns = iter(range(100))

    def stopping():
        turn = next(turns)
        if turn == 0:
            home.handover.assign({0})
        elif turn == 3:
            home.deliver(raw)
        elif turn == 6:
            assert home.store.log.cursor("runner/attempt/0") is not None
            home.handover.fail(LogError("a broker failed"))
        return False

    with pytest.raises(LogError, match="a broker failed"):
        home.worker.run(stopping, list)
    assert home.store.log.cursor("runner/attempt/0") is None


def test_a_closed_handover_lets_nobody_wait():
    handover = Handover(lambda chunk: True)
    waiting = handover.revoke({1})
    handover.close()
    assert waiting.is_done()
    assert handover.revoke({2}).is_done()
