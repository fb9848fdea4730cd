"""The order of things within one partition, seen from outside: what is found, when, under which id."""

from itertools import pairwise

import msgspec
import pytest

from qml_processors.base import Finding, Summary
from qml_processors.runner import replay
from qml_processors.runner.bundle import identify, reproduce, unpack
from qml_processors.runner.identity import finding_id
from qml_processors.runner.partition import Partition
from qml_processors.runner.series import Slot
from quantum_mlops.clock import HOUR, MINUTE, SECOND
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import short_name


class LogState(msgspec.Struct):
    due: int | None = None


def journal(bench, name="journal", wait=10 * SECOND):
    """Return a processor that says everything that happens to it, as notices."""

    class Journal(bench.Toy):
        state = LogState

        def apply(self, state, event, rules):
            state.due = event.ingestedtime + wait
            return (
                Finding(
                    transition="notice", rule="Event", labels={"id": event.id, "rules": str(sorted(rules.plugins))}
                ),
            )

        def next_timer(self, state, rules):
            if rules.plugins.get("journal"):
                return None if state.due is None else state.due - HOUR
            return state.due

        def on_timer(self, state, due, rules):
            state.due = None
            return (Finding(transition="notice", rule="Timer", labels={"rules": str(sorted(rules.plugins))}),)

    found = Journal()
    found.name = name
    return found


def play(bench, ops, processors, partitions=1):
    story = bench.story(partitions)
    story.play([bench.Op(**op) for op in ops])
    return story, replay(story.log, processors)


def lines(bench, replayed):
    return [
        (event.data.rule, (event.time - bench.START) / SECOND, event.source.removeprefix("qml://derived/"))
        for event in replayed.findings
    ]


def test_timers_fire_before_the_event_each_at_its_own_time(bench):
    ops = [{"kind": "metric"}, {"kind": "metric", "wait": 3, "run": 1}, {"kind": "metric", "wait": 50, "run": 2}]
    _, replayed = play(bench, ops, [journal(bench)])
    assert [line[:2] for line in lines(bench, replayed)] == [
        ("Event", 0), ("Event", 3), ("Timer", 10), ("Timer", 13), ("Event", 53),
    ]  # fmt: skip


def test_at_one_instant_processors_fire_in_the_order_of_their_names(bench):
    ops = [{"kind": "metric", "run": 1}, {"kind": "metric"}, {"kind": "tick", "wait": 10}]
    _, replayed = play(bench, ops, [journal(bench, "b"), journal(bench, "a")])
    fired = [(e.source[-1], e.data.series) for e in replayed.findings if e.data.rule == "Timer"]
    assert fired == [
        ("a", "project-0/a/run-0"), ("a", "project-0/a/run-1"), ("b", "project-0/b/run-0"), ("b", "project-0/b/run-1"),
    ]  # fmt: skip


def test_a_tick_moves_the_clock_and_is_shown_to_nobody(bench):
    _, replayed = play(
        bench, [{"kind": "metric"}, {"kind": "tick", "wait": 9}, {"kind": "tick", "wait": 1}], [journal(bench)]
    )
    assert lines(bench, replayed) == [("Event", 0, "journal"), ("Timer", 10, "journal")]


def test_a_duplicate_is_dropped_before_any_processor(bench):
    ops = [{"kind": "metric"}, {"kind": "again"}, {"kind": "foreign"}, {"kind": "again"}]
    _, replayed = play(bench, ops, [journal(bench)])
    assert [line[0] for line in lines(bench, replayed)] == ["Event", "Event"]
    assert replayed.counts[0].duplicates == 2


def test_the_same_source_and_id_under_two_partition_keys_are_two_events(bench):
    story = bench.story()
    for project in (0, 1):
        op = bench.Op("metric", project=project)
        story.counters.clear()
        event = story.emit(
            op, msgspec.convert({"values": {}}, bench.MetricLogged), "metric.logged", source="qml://h/n/0"
        )
        assert event.id == "0000000000000001"
    assert replay(story.log, [journal(bench)]).counts[0].events == 2


def test_unknown_types_are_counted_and_skipped_and_junk_is_buried(bench):
    _, replayed = play(bench, [{"kind": "unknown"}, {"kind": "junk"}, {"kind": "metric"}], [journal(bench)])
    counts = replayed.counts[0]
    assert (counts.unknown, counts.undecodable, counts.events) == (1, 1, 1)
    assert [(letter.data, letter.origin) for letter in replayed.dead_letters] == [(b"no event", "log")]


def test_an_event_of_another_key_never_meets_the_state(bench):
    ops = [{"kind": "metric", "project": n % 2} for n in range(10)]
    _, replayed = play(bench, ops, [bench.Counter()])
    opened = [e.data for e in replayed.findings if short_name(e.type) == "finding.opened"]
    assert [data.series for data in opened] == ["project-0/counter/run-0", "project-4/counter/run-0"]


def test_what_came_more_than_five_minutes_late_is_marked(bench):
    _, replayed = play(
        bench, [{"kind": "metric"}, {"kind": "late", "wait": 1}, {"kind": "tick", "wait": 11}], [journal(bench)]
    )
    assert [(e.data.rule, e.data.late) for e in replayed.findings] == [
        ("Event", False),
        ("Event", True),
        ("Timer", True),
    ]


def test_ids_name_the_event_that_opened_or_armed_the_timer(bench):
    story, replayed = play(bench, [{"kind": "metric"}, {"kind": "tick", "wait": 10}], [journal(bench)])
    source, event_id = story.sent[0].key
    series = "project-0/journal/run-0"
    assert [event.data.finding_id for event in replayed.findings] == [
        finding_id("Event", series, source, event_id, 0),
        finding_id("Timer", series, source, event_id, 1),
    ]
    assert [event.id for event in replayed.findings] == [f"{e.data.finding_id}-0" for e in replayed.findings]


def test_rules_switch_at_their_time_and_every_series_is_armed_again(bench):
    story = bench.story()
    story.play([bench.Op("metric"), bench.Op("metric", wait=1, run=1)])
    story.config(Rules(plugins={"journal": {"on": True}}), story.clock() + 5 * SECOND)
    story.play([bench.Op("tick", wait=4.5), bench.Op("metric", wait=1, run=2), bench.Op("tick", wait=1)])
    found = [
        (e.data.rule, (e.time - bench.START) / SECOND, e.data.series[-1], e.data.labels["rules"])
        for e in replay(story.log, [journal(bench)]).findings
    ]
    assert found == [
        ("Event", 0, "0", "[]"),
        ("Event", 1, "1", "[]"),
        ("Timer", 6, "0", "['journal']"),  # due in the past under the new rules: at their start
        ("Timer", 6, "1", "['journal']"),
        ("Event", 6.5, "2", "['journal']"),
        ("Timer", 6.5, "2", "['journal']"),  # not before the series' last event
    ]


def test_a_late_config_is_counted(bench):
    story = bench.story()
    story.play([bench.Op("metric")])
    story.config(Rules(plugins={"journal": {"on": True}}), story.clock())
    story.play([bench.Op("tick", wait=1)])
    replayed = replay(story.log, [journal(bench)])
    assert replayed.counts[0].late_configs == 1
    assert [event.time for event in replayed.findings] == [bench.START, bench.START + 1]


def test_the_bundle_of_a_finding_gives_the_same_finding_again(bench):
    ops = [{"kind": "metric", "wait": 1, "pick": n} for n in range(20)] + [{"kind": "tick", "wait": 60}]
    processors = {"counter": bench.Counter(), "absence": bench.Absence()}
    _, replayed = play(bench, ops, list(processors.values()))
    bundled = [event for event in replayed.findings if event.data.evidence.bundle is not None]
    assert {short_name(event.type) for event in bundled} == {"finding.opened", "finding.notice"}
    assert {event.data.rule for event in bundled} == {"Fifth", "Seventh", "Silent"}
    for event in bundled:
        bundle = unpack(event.data.evidence.bundle)
        again = [o for o in reproduce(bundle, processors[bundle.processor]) if o.rule == event.data.rule]
        assert [output.values for output in again] == [event.data.values]
        assert identify(bundle, event.data.rule) == event.data.finding_id


def test_a_timer_is_called_once_for_all_windows_that_it_owes(bench):
    ops = [{"kind": "metric", "wait": 1} for _ in range(30)] + [{"kind": "tick", "wait": 3600}]
    _, replayed = play(bench, ops, [bench.Window()])
    ends = [event.data.end for event in replayed.summaries]
    assert sum(event.data.counts["n"] for event in replayed.summaries) == 30
    assert all(later - earlier == 10 * SECOND for earlier, later in pairwise(ends))
    assert all(event.time == event.data.end for event in replayed.summaries)


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_forward_jump_of_the_logs_clock_opens_a_finding_and_closes_it(bench, partitions):
    ops = [{"kind": "tick"}, {"kind": "jump"}, {"kind": "jump", "wait": 1}, {"kind": "tick", "wait": 1}]
    _, replayed = play(bench, ops, [], partitions)
    assert [(short_name(e.type), e.data.rule, e.data.values) for e in replayed.findings] == [
        ("finding.opened", "ClockJump", {"seconds": 120.0}),
        ("finding.closed", "ClockJump", {"seconds": 0.0}),
    ] * partitions
    assert len({event.id for event in replayed.findings}) == 2


def test_a_finding_over_the_size_limit_loses_its_bundle_first_and_is_an_error_then(bench):
    class Large(bench.Counter):
        name = "large"

        def apply(self, state, event, rules):
            state.seen += 1
            text = "x" * (50_000 if state.seen == 1 else 70_000)
            return (Finding(transition="notice", rule="Large", annotations={"text": text}),)

    _, replayed = play(bench, [{"kind": "metric"}, {"kind": "metric"}], [Large()])
    assert [event.data.rule for event in replayed.findings] == ["Large", "ProcessorError/large"]


def test_summaries_are_events_with_the_series_and_the_windows_end_in_their_id(bench):
    class Once(bench.Counter):
        name = "once"

        def apply(self, state, event, rules):
            return (Summary(kind="window", start=0, end=MINUTE, values={"x": 1.5}),)

    _, replayed = play(bench, [{"kind": "metric"}, {"kind": "metric", "project": 1}], [Once()])
    ids = [event.id for event in replayed.summaries]
    assert [i.split("-")[1] for i in ids] == [str(MINUTE)] * 2
    assert len(set(ids)) == 2


def test_the_clock_of_a_partition_never_goes_back(bench):
    seen = []

    class Watching(bench.Counter):
        name = "watching"

        def apply(self, state, event, rules):
            seen.append((event.ingestedtime - bench.START) // SECOND)
            return ()

    story = bench.story()
    story.play([bench.Op("metric", wait=1) for _ in range(4)])
    records = story.log.read("events", 0, 0, 10)
    back = [0, 5, 3, 6]
    records = [
        msgspec.structs.replace(
            record,
            ingestedtime=bench.START + second * SECOND,
            event=msgspec.structs.replace(record.event, ingestedtime=bench.START + second * SECOND),
        )
        for record, second in zip(records, back, strict=True)
    ]
    partition = Partition(0, [Slot(Watching())])
    assert partition.process(records, 100) == 4
    assert seen == [0, 5, 5, 6]


def test_derived_events_are_never_fed_to_processors(bench):
    _, derived = play(bench, [{"kind": "metric"}] * 5, [bench.Counter()])
    story = bench.story()
    story.log.append(derived.findings)
    replayed = replay(story.log, [journal(bench)])
    assert replayed.findings == []
    assert (replayed.counts[0].unknown, replayed.counts[0].events) == (len(derived.findings), 0)
