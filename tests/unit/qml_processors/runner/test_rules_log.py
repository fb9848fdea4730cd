from qml_processors.runner import apply_config
from qml_processors.runner.rules_log import LEAD
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Rules, SummariesRule
from quantum_mlops.events import ConfigApplied
from quantum_mlops.transports.base import Stream

SOURCE = "qml://daemon/c/0"
FIRST, SECOND_RULES = Rules(), Rules(summaries=SummariesRule(window="30s"))


def configs(log):
    return [
        [r.event for r in log.read(Stream.EVENTS, n, 0, 1000) if isinstance(r.event.data, ConfigApplied)]
        for n in range(log.partitions)
    ]


def test_the_first_rules_of_an_empty_log_act_from_the_beginning(bench):
    story = bench.story(3)
    runner = bench.runner(story.log)
    event = apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    assert event.data.effective == 0
    assert [[e.key for e in part] for part in configs(story.log)] == [[event.key]] * 3
    bench.drain(runner)
    assert all(p.counts.late_configs == 0 for p in runner.stats().partitions)
    assert [c[0].acts for c in runner.known_configs().values()] == [0, 0, 0]


def test_the_same_rules_are_not_written_twice_pending_or_not(bench):
    story = bench.story(3)
    runner = bench.runner(story.log)
    apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    assert apply_config(story.log, runner, FIRST, story.clock, SOURCE) is None
    bench.drain(runner)
    assert apply_config(story.log, bench.runner(story.log), FIRST, story.clock, SOURCE) is None


def test_new_rules_act_five_seconds_after_the_greatest_now_and_are_late_nowhere(bench):
    story = bench.story(3)
    runner = bench.runner(story.log)
    apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    story.play([bench.Op("metric", wait=1, project=n % 3) for n in range(9)])
    bench.drain(runner)
    event = apply_config(story.log, runner, SECOND_RULES, story.clock, SOURCE)
    assert event.data.effective == story.clock() + LEAD
    bench.drain(runner)
    assert all(p.counts.late_configs == 0 for p in runner.stats().partitions)
    assert apply_config(story.log, runner, SECOND_RULES, story.clock, SOURCE) is None
    back = apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    assert back.data.effective > event.data.effective


def test_a_partition_that_lacks_the_rules_gets_the_same_record_again(bench):
    story = bench.story(3)
    runner = bench.runner(story.log)
    whole = story.log.append

    def fails_at_the_second(events, *, partition=None, **more):
        if partition == 1:
            raise bench.LogError("disk full")
        whole(events, partition=partition, **more)

    story.log.append = fails_at_the_second
    try:
        apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    except bench.LogError:
        story.log.append = whole
    story.clock.advance_seconds(100)
    event = apply_config(story.log, bench.runner(story.log), FIRST, story.clock, SOURCE)
    assert [[(e.key, e.data.effective) for e in part] for part in configs(story.log)] == [[(event.key, 0)]] * 3


def test_rules_survive_that_the_cursor_is_lost(bench):
    story = bench.story(1)
    runner = bench.runner(story.log)
    apply_config(story.log, runner, FIRST, story.clock, SOURCE)
    bench.drain(runner)
    story.log.move_cursors({"rules/latest": None, "rules/partition/0": None})
    assert apply_config(story.log, runner, FIRST, story.clock, SOURCE) is None
    assert LEAD == 5 * SECOND
