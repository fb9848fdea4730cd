"""DataLoss: a log that no longer holds what is needed, in a home that must go on."""

import pytest

from quantum_mlops.clock import DAY, SECOND
from quantum_mlops.events import short_name
from quantum_mlops.transports.base import Stream


def losses(bench, log):
    return [
        (short_name(event.type).removeprefix("finding."), event.data.finding_id, event.data.values)
        for event in bench.read(log, "findings")
        if event.data.rule == "DataLoss"
    ]


def cut(log, offset):
    rows = log._rows[Stream.EVENTS, 0]
    rows[:] = [row for row in rows if row[0] >= offset]


@pytest.fixture
def story(bench):
    story = bench.story()
    story.play([bench.Op("metric", wait=1, run=n % 3) for n in range(40)])
    return story


def start(bench, log, **config):
    return bench.runner(log, accept_loss=True, **config)


def test_what_was_never_processed_is_counted_and_said_once(bench, story):
    runner = start(bench, story.log)
    runner.process_batch(10)
    offset = runner.stats().partitions[0].offset
    cut(story.log, 25)
    runner = start(bench, story.log)
    counts = runner.stats().partitions[0].counts
    assert (counts.losses, counts.lost) == (1, 25 - offset)
    bench.drain(runner, 4)
    assert runner.stats().partitions[0].counts.records == 15
    ((change, _, values),) = losses(bench, story.log)
    assert (change, values["next_offset"], values["unprocessed"]) == ("opened", 25, 25 - offset)


def test_states_that_lack_their_last_changes_are_said_too(bench, story):
    runner = start(bench, story.log, checkpoint_seconds=1000.0)
    bench.drain(runner, 20)
    assert runner.stats().partitions[0].replay_start < 30
    cut(story.log, 30)
    runner = start(bench, story.log)
    assert runner.stats().partitions[0].counts.lost == 0
    assert runner.stats().partitions[0].counts.losses == 1
    ((_, _, values),) = losses(bench, story.log)
    assert values["unprocessed"] == 0


def test_a_second_open_does_not_say_it_again(bench, story):
    runner = start(bench, story.log, checkpoint_seconds=1000.0)
    bench.drain(runner, 10)
    cut(story.log, 30)
    runner = start(bench, story.log, checkpoint_seconds=1000.0)
    for _ in range(3):
        runner = start(bench, story.log, checkpoint_seconds=1000.0)
        assert runner.stats().partitions[0].mismatches == 0
    assert len(losses(bench, story.log)) == 1
    bench.drain(runner, 3)
    again = start(bench, story.log, checkpoint_seconds=1000.0)
    assert again.states() == runner.states()
    assert len(losses(bench, story.log)) == 1


def test_a_start_that_runs_ahead_while_running_is_a_loss(bench, story):
    runner = start(bench, story.log)
    runner.process_batch(10)
    offset = runner.stats().partitions[0].offset
    cut(story.log, 20)
    bench.drain(runner, 5)
    for _ in range(3):
        runner.process_batch(5)
    assert runner.stats().partitions[0].counts.lost == 20 - offset
    assert [change for change, *_ in losses(bench, story.log)] == ["opened"]


def test_a_further_loss_updates_the_finding_and_a_quiet_day_closes_it(bench, story):
    runner = start(bench, story.log)
    runner.process_batch(10)
    cut(story.log, 20)
    runner.process_batch(5)
    cut(story.log, 30)
    bench.drain(runner, 5)
    runner.close()
    story.clock.now += DAY + 2 * SECOND
    story.tick(story.clock())
    bench.drain(start(bench, story.log), 5)
    found = losses(bench, story.log)
    assert [change for change, *_ in found] == ["opened", "updated", "closed"]
    assert len({identity for _, identity, _ in found}) == 1


def test_a_crash_before_the_commit_says_the_same_again(bench, story):
    runner = start(bench, story.log)
    runner.process_batch(10)
    cut(story.log, 25)
    faulty = bench.FaultyLog(story.log)
    faulty.faults = ["before"]
    with pytest.raises(bench.Crash):
        start(bench, faulty)
    assert losses(bench, story.log) == []
    faulty.faults = ["after"]
    with pytest.raises(bench.Crash):
        start(bench, faulty)
    bench.drain(start(bench, faulty), 5)
    assert len(losses(bench, story.log)) == 1


def test_a_released_partition_is_forgotten_and_another_runner_goes_on(bench, story):
    runner = bench.runner(story.log)
    runner.process_batch(10)
    states = runner.states()
    runner.release(0)
    runner.release(0)
    assert runner.stats().partitions == []
    assert runner.process_batch() == 0
    other = bench.runner(story.log)
    assert other.states() == states
    assert other.stats().partitions[0].replay_start == 0
    offset = other.stats().partitions[0].offset
    other.release(0, seconds=5.0)
    third = bench.runner(story.log)
    assert third.states() == states
    assert third.stats().partitions[0].replay_start == offset
