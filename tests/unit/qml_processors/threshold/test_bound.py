import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_processors.base import Forget
from qml_processors.threshold import END_GRACE, SILENT_AFTER, ThresholdProcessor, ThresholdState, rule_id
from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Context, Event, MetricLogged, RunEnded, Tick, type_name

LOW = ThresholdRule(name="LowAccuracy", metric="acc", below=0.8)
SLOW = ThresholdRule(name="Slow", metric="acc", below=0.8, for_="10m", keep_firing_for="5m")
HIGH = ThresholdRule(name="HighLoss", metric="loss", above=2.0)


def event(data, time=0, *, source="qml://lab/n/1", ingested=None, project="iris", run="r1", number=0):
    kind = "run.ended" if isinstance(data, RunEnded) else "metric.logged"
    return Event(
        id=f"{number or time:016x}", source=source, type=type_name(kind), time=time, partitionkey=project, project=project,
        context=Context(runid=run), ingestedtime=time if ingested is None else ingested, data=data,
    )  # fmt: skip


def metric(time=0, phase=None, nonfinite=None, more=None, **values):
    return event(MetricLogged(values=values, phase=phase, nonfinite=nonfinite or {}), time, **(more or {}))


class Series:
    """A series as the runner drives it: due timers first, encode and decode after every step."""

    def __init__(self, *rules):
        self.processor = ThresholdProcessor()
        self.state = self.processor.open("r1")
        self.rules = Rules(threshold=list(rules))

    def feed(self, *events):
        found = []
        for happened in events:
            found += self.until(happened.ingestedtime)
            found += self.processor.apply(self.state, happened, self.rules)
            self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=ThresholdState)
        return found

    def until(self, now):
        found = []
        while (due := self.processor.next_timer(self.state, self.rules)) is not None and due <= now:
            found += self.processor.on_timer(self.state, due, self.rules)
            after = self.processor.next_timer(self.state, self.rules)
            assert after is None or after > due
        return found


def said(found):
    return [(output.transition, output.rule) for output in found if not isinstance(output, Forget)]


def test_a_bound_without_for_opens_and_closes_at_once():
    series = Series(LOW)
    found = series.feed(metric(1, acc=0.9), metric(2, acc=0.7), metric(3, acc=0.6), metric(4, acc=0.85))
    assert said(found) == [("opened", "LowAccuracy/below"), ("closed", "LowAccuracy/below")]
    opened, closed = found
    assert opened.values == {"bound": 0.8, "value": 0.7}
    assert opened.labels == {"metric": "acc", "run": "r1", "project": "iris"}
    assert opened.annotations["summary"] == "acc is 0.7, below 0.8 (run r1)"
    assert opened.evidence == [("qml://lab/n/1", f"{2:016x}")]
    assert (closed.reason, closed.values["value"]) == ("bound kept", 0.85)


def test_for_is_met_by_the_emitters_time_within_one_source():
    series = Series(SLOW)
    late = 50 * MINUTE  # appended all at once, long after
    events = [metric(minute * MINUTE, acc=0.5, more={"ingested": late}) for minute in range(11)]
    assert said(series.feed(*events[:10])) == []
    assert said(series.feed(events[10])) == [("opened", "Slow/below")]


def test_for_is_met_by_the_logs_clock_where_no_further_value_comes():
    series = Series(SLOW)
    assert said(series.feed(metric(MINUTE, acc=0.5))) == []
    assert said(series.until(11 * MINUTE - 1)) == []
    assert said(series.until(11 * MINUTE)) == [("opened", "Slow/below")]


def test_two_sources_do_not_add_up_their_clocks():
    series = Series(SLOW)
    other = {"source": "qml://other/n/1", "ingested": 2}
    assert said(series.feed(metric(1, acc=0.5), metric(11 * MINUTE, acc=0.5, more=other))) == []


def test_a_kept_bound_starts_the_wait_anew():
    series = Series(SLOW)
    found = series.feed(metric(MINUTE, acc=0.5), metric(6 * MINUTE, acc=0.9), metric(10 * MINUTE, acc=0.5))
    assert said(found + series.until(19 * MINUTE)) == []


def test_keep_firing_for_holds_a_finding_open_and_a_new_break_cancels_the_close():
    series = Series(SLOW)
    series.feed(metric(0, acc=0.5))
    assert said(series.until(10 * MINUTE)) == [("opened", "Slow/below")]
    assert said(series.feed(metric(11 * MINUTE, acc=0.9), metric(13 * MINUTE, acc=0.5))) == []
    assert said(series.feed(metric(20 * MINUTE, acc=0.9))) == []
    assert said(series.until(25 * MINUTE)) == [("closed", "Slow/below")]


def test_nan_leaves_a_rule_as_it_is_and_infinity_breaks_it():
    series = Series(HIGH)
    found = series.feed(
        metric(1, nonfinite={"loss": "nan"}), metric(2, nonfinite={"loss": "inf"}), metric(3, nonfinite={"loss": "nan"})
    )
    assert said(found) == [("opened", "HighLoss/above")]
    assert found[0].values == {"bound": 2.0}
    assert said(series.feed(metric(4, nonfinite={"loss": "-inf"}))) == [("closed", "HighLoss/above")]


def test_a_rule_counts_only_its_project_and_phase():
    rule = ThresholdRule(name="Low", metric="acc", below=0.8, project="iris", phase="validate")
    series = Series(rule)
    assert (
        said(
            series.feed(
                metric(1, acc=0.1, phase="train"), metric(2, acc=0.1, phase="validate", more={"project": "wine"})
            )
        )
        == []
    )
    assert said(series.feed(metric(3, acc=0.1, phase="validate"))) == [("opened", "Low/below")]


def test_the_end_of_a_run_closes_and_forgets_a_minute_later_and_still_takes_what_came_before():
    series = Series(LOW)
    end = event(RunEnded(status="completed", duration_seconds=1.0), 5 * SECOND)
    assert said(series.feed(end, metric(6 * SECOND, acc=0.1))) == [("opened", "LowAccuracy/below")]
    found = series.until(5 * SECOND + END_GRACE)
    assert said(found) == [("closed", "LowAccuracy/below")]
    assert found[0].reason == "run ended"
    summary = "acc is no longer watched: run ended (run r1, last 0.1, bound 0.8)"
    assert found[0].annotations["summary"] == summary, "the bound is broken to the end"
    assert isinstance(found[-1], Forget)


def test_a_rule_that_is_gone_closes_its_finding():
    series = Series(LOW)
    series.feed(metric(1, acc=0.1))
    series.rules = Rules()
    found = series.until(2)
    assert said(found) == [("closed", "LowAccuracy/below")]
    assert found[0].reason == "rule removed"
    assert series.processor.next_timer(series.state, series.rules) == 1 + SILENT_AFTER


@pytest.mark.parametrize("rules", [(), (ThresholdRule(name="LowAccuracy", metric="acc", below=0.8),)])
def test_a_finding_closes_with_the_severity_it_opened_with(rules):
    series = Series(ThresholdRule(name="LowAccuracy", metric="acc", below=0.8, severity="critical"))
    series.feed(metric(1, acc=0.1))
    series.rules = Rules(threshold=list(rules))
    (closed,) = [*series.until(2), *series.feed(metric(3, acc=0.9))]
    assert (closed.transition, closed.severity) == ("closed", "critical")


def test_a_rule_changed_so_that_the_last_value_keeps_it_closes_at_once():
    series = Series(LOW)
    series.feed(metric(1, acc=0.7))
    series.rules = Rules(threshold=[ThresholdRule(name="LowAccuracy", metric="acc", below=0.5)])
    (closed,) = series.until(2)
    assert (closed.transition, closed.reason) == ("closed", "rule changed")


def test_a_run_that_was_killed_closes_and_is_forgotten_after_two_days():
    series = Series(LOW)
    series.feed(metric(1, acc=0.1))
    assert series.until(SILENT_AFTER) == []
    closed, forget = series.until(1 + SILENT_AFTER)
    assert (closed.transition, closed.reason) == ("closed", "run silent")
    assert isinstance(forget, Forget)
    assert series.processor.next_timer(series.state, series.rules) is None


@given(st.permutations(range(6)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_in_whatever_order_values_of_one_source_come_the_newest_says_how_things_are(order, broken):
    series, found = Series(LOW), []
    for number in order:
        found += series.feed(metric(number + 1, acc=0.1 if broken[number] else 0.9, more={"ingested": 100}))
    assert (said(found)[-1:] == [("opened", "LowAccuracy/below")]) == broken[-1]


def test_only_metrics_and_ends_of_runs_have_a_series():
    processor = ThresholdProcessor()
    assert processor.keys(metric(1, acc=0.1)) == ("r1",)
    assert processor.keys(msgspec.structs.replace(metric(1), type=type_name("tick"), data=Tick())) == ()


def test_a_fresh_state_owes_nothing():
    assert ThresholdProcessor().next_timer(ThresholdProcessor().open("r"), Rules(threshold=[LOW])) is None


def test_a_newer_state_is_refused():
    with pytest.raises(StateTooNewError):
        ThresholdProcessor().migrate(b"", 2)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3 * MINUTE)), max_size=30),
    st.sampled_from(["0s", "1m", "5m"]),
    st.sampled_from(["0s", "2m"]),
)
def test_transitions_alternate_and_an_open_finding_is_a_broken_bound(steps, waiting, keeping):
    rule = ThresholdRule(name="Low", metric="acc", below=0.5, for_=waiting, keep_firing_for=keeping)
    series, now, found, held = Series(rule), 0, [], []
    for value, pause in steps:
        now += pause
        found += series.feed(metric(now, acc=value, more={"number": now + 1}))
        held.append(value < 0.5)
    transitions = [transition for transition, _ in said(found)]
    assert transitions == (["opened", "closed"] * len(transitions))[: len(transitions)]
    if waiting == "0s" and keeping == "0s" and held:
        assert (transitions[-1:] == ["opened"]) == held[-1]


@given(st.permutations([LOW, SLOW, HIGH]))
def test_the_order_of_rules_does_not_change_what_each_finds(rules):
    series = Series(*rules)
    found = series.feed(metric(1, acc=0.1, loss=3.0), metric(11 * MINUTE, acc=0.1, loss=1.0))
    assert sorted(said(found)) == [
        ("closed", rule_id(HIGH)), ("opened", rule_id(HIGH)), ("opened", rule_id(LOW)), ("opened", rule_id(SLOW)),
    ]  # fmt: skip
