"""The runner over a log: batches, recovery, upgrades, killers, what is given up."""

import gc

import msgspec
import pytest

from qml_processors.runner import load_processors, replay
from qml_processors.runner.collector import settle
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import LogError, StateTooNewError
from quantum_mlops.events import short_name
from quantum_mlops.transports.base import Commit, Stream


def fill(bench, count=40, partitions=1, **op):
    story = bench.story(partitions)
    story.play([bench.Op("metric", wait=1, run=n % 3, project=n % 3, **op) for n in range(count)])
    return story


def changes(bench, log):
    return [
        (short_name(e.type).removeprefix("finding."), e.data.rule, e.data.reason) for e in bench.read(log, "findings")
    ]


def test_two_processors_of_one_name_are_refused(bench):
    with pytest.raises(ValueError, match="share a name"):
        bench.runner(fill(bench).log, [bench.Counter(), bench.Counter()])


def test_installed_processors_are_found_in_the_order_of_their_names():
    names = [processor.name for processor in load_processors()]
    assert names == sorted(names)
    assert "drift" in names


def test_a_batch_is_bounded_by_its_limit_also_inside_a_firing(bench):
    story = bench.story()
    story.play([bench.Op("metric", run=n) for n in range(30)] + [bench.Op("tick", wait=3600)])
    runner = bench.runner(story.log, [bench.Absence()])
    bench.drain(runner, 30)
    assert runner.stats().partitions[0].offset == 31
    again = bench.story()
    again.play([bench.Op("metric", run=n) for n in range(30)] + [bench.Op("tick", wait=3600)])
    runner = bench.runner(again.log, [bench.Absence()])
    assert runner.process_batch(32) == 32
    assert len(bench.read(again.log, "findings")) == 2
    for fired in range(6, 31, 4):
        runner = bench.runner(again.log, [bench.Absence()])
        assert runner.process_batch(4) == 4
        assert len(bench.read(again.log, "findings")) == fired
    assert runner.stats().partitions[0].offset == 30
    assert runner.process_batch(4) == 1
    assert bench.read(again.log, "findings") == bench.read(story.log, "findings")


def test_an_idle_runner_writes_what_is_dirty_until_nothing_needs_a_replay(bench):
    story = fill(bench)
    runner = bench.runner(story.log)
    bench.drain(runner)
    for _ in range(100):
        assert runner.process_batch() == 0
    stats = runner.stats().partitions[0]
    assert (stats.dirty, stats.lag) == (0, 0)
    assert stats.replay_start == stats.offset == 40


def test_closing_writes_everything_and_a_second_close_does_nothing(bench):
    story = fill(bench)
    runner = bench.runner(story.log)
    bench.drain(runner)
    states = runner.states()
    runner.close()
    runner.close()
    again = bench.runner(story.log)
    assert again.states() == states
    assert again.stats().partitions[0].counts.records == 0
    assert again.stats().partitions[0].mismatches == 0


def test_a_failing_commit_shows_nothing_and_the_next_call_recovers(bench):
    story = fill(bench)
    faulty = bench.FaultyLog(story.log)
    runner = bench.runner(faulty)
    runner.process_batch(10)
    before = bench.read(story.log, "findings")
    faulty.faults = ["error"]
    with pytest.raises(LogError):
        runner.process_batch(10)
    assert bench.read(story.log, "findings") == before
    assert runner.stats().partitions[0].given_up == "recovering"
    bench.drain(runner, 7)
    assert bench.read(story.log, "findings") == replay(story.log, bench.toys()).findings


def test_a_state_that_is_too_new_gives_up_its_partition_and_no_other(bench):
    class Newer(bench.Counter):
        version = 2

        def keys(self, event):
            return super().keys(event) if event.partitionkey == "project-0" else ()

    story = fill(bench, partitions=3)
    runner = bench.runner(story.log, [Newer()])
    bench.drain(runner)
    runner.close()
    story.play([bench.Op("metric", project=n) for n in range(3)])
    runner = bench.runner(story.log, [bench.Counter()])
    bench.drain(runner)
    given_up = {p.partition: p.given_up for p in runner.stats().partitions if p.given_up}
    mine = story.log.partition_of("project-0")
    assert list(given_up) == [mine]
    assert "version 2" in given_up[mine]
    assert sum(p.counts.events for p in runner.stats().partitions if p.partition != mine) > 0


def test_a_log_cut_behind_the_replay_start_gives_up_the_partition(bench):
    story = fill(bench)
    runner = bench.runner(story.log)
    bench.drain(runner, 10)
    del story.log._rows[Stream.EVENTS, 0][:39]
    again = bench.runner(story.log)
    assert "the replay needs" in again.stats().partitions[0].given_up
    assert again.process_batch() == 0


def test_an_unreadable_checkpoint_gives_up_the_partition(bench):
    story = fill(bench)
    runner = bench.runner(story.log)
    bench.drain(runner)
    runner.close()
    stored = story.log.checkpoint(0)
    key = next(iter(stored.rows))
    story.log.commit(0, Commit(watermark=stored.watermark, rows={key: b"\x93"}, replay_start=40))
    assert "unreadable" in bench.runner(story.log).stats().partitions[0].given_up


def test_older_states_migrate(bench):
    class Migrated(bench.Counter):
        version = 2

        def migrate(self, raw, from_version):
            if from_version > 2:
                raise StateTooNewError("counter")
            old = msgspec.msgpack.decode(raw, type=self.state)
            old.total += 1000
            return old

    story = fill(bench)
    runner = bench.runner(story.log, [bench.Counter()])
    bench.drain(runner)
    runner.close()
    again = bench.runner(story.log, [Migrated()])
    states = [s.state for slot in again._homes[0].partition.slots.values() for s in slot.series.values()]
    assert len(states) == 3
    assert all(state.total >= 1000 for state in states)


def test_a_state_that_no_longer_decodes_is_reset_and_reported(bench):
    class Other(bench.Counter):
        state = msgspec.defstruct("Other", [("seen", str), ("total", float)])

        def open(self, key):
            return self.state("", 0.0)

    story = fill(bench, 5 * 3 + 1)
    runner = bench.runner(story.log, [bench.Counter()])
    bench.drain(runner)
    runner.close()
    before = len(bench.read(story.log, "findings"))
    again = bench.runner(story.log, [Other()])
    said = changes(bench, story.log)[before:]
    assert ("opened", "ProcessorError/counter", None) in said
    assert ("closed", "Fifth", "superseded") in said
    assert again.stats().partitions[0].counts.processor_errors == {"counter": 3}


def test_findings_of_a_removed_processor_are_superseded_and_its_rows_go(bench):
    story = bench.story()
    story.play([bench.Op("metric", wait=1)] * 5)
    runner = bench.runner(story.log, [bench.Counter(), bench.Memory()])
    bench.drain(runner)
    runner.close()
    assert changes(bench, story.log) == [("opened", "Fifth", None)]
    again = bench.runner(story.log, [bench.Memory()])
    assert changes(bench, story.log)[1:] == [("closed", "Fifth", "superseded")]
    assert again.stats().partitions[0].mismatches == 1
    assert not any(b"counter" in row for row in story.log.checkpoint(0).rows.values())
    assert bench.runner(story.log, [bench.Memory()]).stats().partitions[0].mismatches == 0
    assert again.open_findings() == {}


def test_new_code_that_finds_more_in_the_replay_opens_what_is_missing(bench):
    class Eager(bench.Counter):
        def apply(self, state, event, rules):
            state.seen += 1
            return (bench.Finding(transition="opened", rule="Eager"),) if state.seen == 3 else ()

    story = bench.story()
    story.play([bench.Op("metric", wait=1)] * 3)
    runner = bench.runner(story.log, [bench.Counter()], checkpoint_seconds=1e9, checkpoint_rows=0)
    runner.process_batch()
    again = bench.runner(story.log, [Eager()])
    assert changes(bench, story.log) == [("opened", "Eager", None)]
    assert again.stats().partitions[0].mismatches == 1


class Killer(BaseException):
    """Stands for the end of the process inside a processor."""


def deadly(bench, where):
    class Deadly(bench.Absence):
        name = "deadly"

        def apply(self, state, event, rules):
            if where == "apply" and event.id == f"{8:016x}":
                raise Killer
            return super().apply(state, event, rules)

        def on_timer(self, state, due, rules):
            if where == "timer":
                raise Killer
            return super().on_timer(state, due, rules)

    return Deadly()


def run_until_killed(bench, log, processors, limit=100):
    runner = bench.runner(log, processors, unclean_ends=3)
    try:
        while runner.process_batch(5):
            pass
    except Killer:
        return None
    return runner


@pytest.mark.parametrize("where", ["apply", "timer"])
def test_a_step_that_ends_the_process_again_and_again_is_given_up_and_buried(bench, where):
    story = bench.story()
    story.play([bench.Op("metric", wait=1) for _ in range(20)] + [bench.Op("tick", wait=60), bench.Op("metric")])
    ends = 0
    while (runner := run_until_killed(bench, story.log, [deadly(bench, where), bench.Counter()])) is None:
        ends += 1
        assert ends < 10
    assert ends in {6, 7}  # three at the batch, three at the step; the first may have been at an earlier watermark
    assert runner.stats().partitions[0].lag == 0
    assert runner.stats().partitions[0].counts.killed == 1
    letters = [record.event for record in story.log.read(Stream.DEAD_LETTERS, 0, 0, 10)]
    assert [letter.origin for letter in letters] == ["runner" if where == "apply" else "processor:deadly"]
    states = runner.states()
    assert bench.runner(story.log, [deadly(bench, where), bench.Counter()]).states() == states
    runner.close()
    assert bench.runner(story.log, [deadly(bench, where), bench.Counter()]).states() == states


def test_clean_ends_and_ends_without_a_batch_are_not_counted(bench):
    story = fill(bench)
    for _ in range(10):
        bench.runner(story.log, unclean_ends=3)
    runner = bench.runner(story.log, unclean_ends=3)
    assert runner.process_batch(7) == 7
    for _ in range(5):
        runner.close()
        assert story.log.cursor("runner/attempt/0") is None
        runner = bench.runner(story.log, unclean_ends=3)
    assert runner.process_batch(7) == 7


def test_settling_the_collector_freezes_what_is_alive_and_spaces_full_collections():
    thresholds = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        settle()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() > (700, 10, 10)
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_a_source_of_long_ago_leaves_the_checkpoint(bench):
    story = bench.story()
    story.play([bench.Op("metric", source=1), bench.Op("metric", source=0, wait=31 * 86_400)])
    runner = bench.runner(story.log)
    bench.drain(runner)
    runner.close()
    again = bench.runner(story.log)
    story.play([bench.Op("metric", source=0, wait=86_400)])
    bench.drain(again)
    again.close()
    assert again.stats().partitions == []
    once_more = bench.runner(story.log, [bench.Counter()])
    once_more.close()
    rows = story.log.checkpoint(0).rows.values()
    assert any(b"qml://host/n0/0" in row for row in rows)
    assert not any(b"qml://host/n0/1" in row for row in rows if b"\xa1d" in row)
    assert story.clock() > bench.START + SECOND


@pytest.mark.parametrize("checkpoint_rows", [1, 50])
def test_what_a_partition_remembers_of_its_batches_does_not_grow(bench, checkpoint_rows):
    """With 50 rows a commit, few series are all written in each, so nothing is ever dirty after one."""
    story = fill(bench, count=400)
    runner = bench.runner(story.log, checkpoint_rows=checkpoint_rows)
    while runner.process_batch(2):
        pass
    (home,) = runner._homes.values()
    assert len(home._rolling._starts) <= 1 + home.stats().series
