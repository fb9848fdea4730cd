"""What a processor's error costs: its step and its series, never the stream."""

import pytest

from qml_processors.runner import replay
from quantum_mlops.clock import HOUR, SECOND
from quantum_mlops.codec import decode
from quantum_mlops.events import short_name


def mood(bench, name, **more):
    moods = ("", "apply", "next", "timer", "stuck", "fine-timer", "nan", "twice", "forget", "keys", "repeat", "switch")
    picks = {"": 0, "apply": 4, "next": 5, "timer": 6, "stuck": 7, "nan": 9, "twice": 10, "forget": 11, "keys": 12}
    picks |= {"repeat": 13, "switch": 14}
    assert name in moods
    return bench.Op("metric", pick=picks[name], **more)


def play(bench, ops, processors=None):
    story = bench.story()
    story.play(ops)
    return story, replay(story.log, processors or [bench.Fragile()])


def lines(replayed, run="a-run-0"):
    return [
        (short_name(e.type).removeprefix("finding."), e.data.rule, e.data.reason, (e.time // SECOND) % 10_000)
        for e in replayed.findings
        if e.data.series.endswith(run)
    ]


@pytest.mark.parametrize("how", ["apply", "next", "nan", "twice", "forget"])
def test_a_raising_step_is_discarded_and_the_series_starts_anew(bench, how):
    _, replayed = play(bench, [mood(bench, ""), mood(bench, how, wait=1), mood(bench, "", wait=1)])
    assert lines(replayed) == [
        ("opened", "Seen", None, 0),
        ("closed", "Seen", "reset", 1),
        ("opened", "ProcessorError/fragile", None, 1),
        ("opened", "Seen", None, 2),
    ]
    assert replayed.counts[0].processor_errors == {"fragile": 2}


def test_the_event_is_buried_whole_for_that_processor_alone(bench):
    story, replayed = play(bench, [mood(bench, "apply")], [bench.Fragile(), bench.Counter()])
    assert [letter.origin for letter in replayed.dead_letters] == ["processor:fragile"] * 2
    letter = replayed.dead_letters[0]
    assert decode(letter.data).key == story.sent[0].key == letter.key
    assert letter.reason == "RuntimeError: apply"
    assert replayed.counts[0].processor_errors == {"fragile": 2}


@pytest.mark.parametrize("how", ["keys", "repeat"])
def test_where_keys_fail_only_the_event_is_buried(bench, how):
    _, replayed = play(bench, [mood(bench, how), mood(bench, "", wait=1)])
    assert [letter.reason.split(":")[0] for letter in replayed.dead_letters] == ["keys"]
    assert lines(replayed) == [("opened", "Seen", None, 1)]


@pytest.mark.parametrize("how", ["timer", "stuck"])
def test_a_raising_timer_and_one_that_does_not_advance_reset_the_series_at_the_due_time(bench, how):
    _, replayed = play(bench, [mood(bench, how), bench.Op("tick", wait=60)])
    assert lines(replayed) == [
        ("opened", "Seen", None, 0),
        ("closed", "Seen", "reset", 7),
        ("opened", "ProcessorError/fragile", None, 7),
    ]


def test_one_error_finding_is_open_per_series_and_closes_an_hour_after_the_last_error(bench):
    ops = [
        mood(bench, "apply"),
        mood(bench, "apply", wait=600),
        mood(bench, "apply", wait=600),
        bench.Op("tick", wait=7200),
    ]
    _, replayed = play(bench, ops)
    assert lines(replayed) == [
        ("opened", "ProcessorError/fragile", None, 0),
        ("closed", "ProcessorError/fragile", "quiet for an hour", 4800),
    ]
    closed = next(e for e in replayed.findings if e.data.reason)
    assert closed.time == bench.START + 1200 * SECOND + HOUR
    assert closed.data.values == {"errors": 3.0}
    assert replayed.counts[0].processor_errors == {"fragile": 6}


def test_a_series_that_fails_at_a_switch_names_the_config_as_its_opener(bench):
    story = bench.story()
    story.play([mood(bench, "switch")])
    config = story.config(bench.Rules(plugins={"any": {"x": True}}), story.clock() + 5 * SECOND)
    story.play([bench.Op("tick", wait=9)])
    replayed = replay(story.log, [bench.Fragile()])
    assert lines(replayed)[1:] == [("closed", "Seen", "reset", 5), ("opened", "ProcessorError/fragile", None, 5)]
    error = replayed.findings[-1]
    assert error.data.evidence.events == [config.key]


def test_open_may_raise_and_the_next_event_tries_again(bench):
    class Moody(bench.Counter):
        name = "moody"
        calls = 0

        def open(self, key):
            self.calls += 1
            if self.calls <= 4:  # at each event once, and once more to start anew
                raise RuntimeError("open")
            return super().open(key)

    _, replayed = play(bench, [bench.Op("metric", wait=1) for _ in range(7)], [Moody()])
    assert replayed.counts[0].processor_errors == {"moody": 2}
    assert [e.data.rule for e in replayed.findings] == ["ProcessorError/moody", "Fifth"]


def test_forgetting_a_series_closes_its_error_finding(bench):
    class Brief(bench.Memory):
        name = "brief"

        def apply(self, state, event, rules):
            if "apply" in getattr(event.data, "nonfinite", {}):
                raise RuntimeError("apply")
            yield from super().apply(state, event, rules)

    _, replayed = play(bench, [mood(bench, "apply"), bench.Op("ended", wait=1)], [Brief()])
    assert [(e.data.rule, e.data.reason) for e in replayed.findings] == [
        ("ProcessorError/brief", None),
        ("ProcessorError/brief", "forgotten"),
    ]


def test_what_is_no_output_is_an_error_of_the_processor(bench):
    class Odd(bench.Counter):
        name = "odd"

        def apply(self, state, event, rules):
            return ("finding",)

    _, replayed = play(bench, [bench.Op("metric")], [Odd()])
    assert replayed.dead_letters[0].reason == "OutputError: str is no output"


def test_a_finding_shares_nothing_with_the_state_that_goes_on_changing(bench):
    class Sharing(bench.Toy):
        name = "sharing"
        labels = {}  # noqa: RUF012 - shared on purpose
        state = type(bench.Counter().open("k"))

        def apply(self, state, event, rules):
            self.labels["id"] = event.id
            return (bench.Finding(transition="notice", rule="Shared", labels=self.labels),)

    _, replayed = play(bench, [bench.Op("metric"), bench.Op("metric")], [Sharing()])
    assert [e.data.labels["id"] for e in replayed.findings] == ["0000000000000001", "0000000000000002"]
