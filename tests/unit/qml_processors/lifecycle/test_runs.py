import msgspec
import pytest

from qml_processors.base import Forget
from qml_processors.lifecycle import RunsProcessor
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules.lifecycle import LifecycleRule, SilentRule
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import MetricLogged, RunEnded, RunHeartbeat, RunStarted


@pytest.fixture
def beat(story):
    return lambda at, **more: story.event("run.heartbeat", RunHeartbeat(uptime_seconds=at), at, **more)


@pytest.fixture
def started(story):
    return lambda at, **more: story.event("run.started", RunStarted(name="vqc", host="lab-1"), at, **more)


@pytest.fixture
def ended(story):
    def make(at, **more):
        return story.event("run.ended", RunEnded(status="completed", duration_seconds=at), at, **more)

    return make


def test_metrics_touch_no_series(story):
    assert RunsProcessor().keys(story.event("metric.logged", MetricLogged(values={"loss": 1.0}), 0)) == ()


def test_a_run_that_falls_silent_is_found_after_the_limit_and_closes_when_it_speaks(
    runs, started, beat, transitions, start
):
    series = runs()
    assert series.feed(started(0), *(beat(30.0 * number) for number in range(1, 11))) == []
    assert series.until(start + 300 * SECOND + 10 * MINUTE - 1) == []
    opened = series.until(start + 300 * SECOND + 10 * MINUTE)
    assert transitions(opened) == [("opened", "RunSilent")]
    finding = opened[0]
    assert finding.annotations["summary"] == "run vqc (r1) on lab-1: no heartbeat received for 10 min"
    assert "Not received" in finding.annotations["description"]
    assert finding.values == {"silent_seconds": 600.0, "limit_seconds": 600.0}
    assert finding.labels == {"run": "r1", "project": "iris"}
    assert finding.evidence == [("qml://lab/n/0", f"{11:016x}")]
    closed = series.feed(beat(2000))
    assert (transitions(closed), closed[0].reason) == ([("closed", "RunSilent")], "the run was heard of again")
    assert transitions(series.until(start + 2000 * SECOND + HOUR)) == [("opened", "RunSilent")]


def test_a_heartbeat_in_time_moves_no_timer(runs, started, beat):
    series = runs()
    series.feed(started(0))
    timer = series.processor.next_timer(series.state, series.rules)
    series.feed(beat(30), beat(60))
    assert series.processor.next_timer(series.state, series.rules) == timer


def test_the_end_closes_it_and_what_was_spooled_before_the_end_does_not_wake_it(
    runs, started, beat, ended, transitions, start
):
    series = runs()
    series.feed(started(0))
    found = series.feed(ended(1000))
    assert transitions(found) == [("opened", "RunSilent"), ("closed", "RunSilent")]
    assert found[-1].reason == "run ended: completed"
    series.feed(beat(990, lag=60), started(1, lag=2000))
    assert series.until(start + 40 * DAY) == [Forget()]


def test_a_run_shipped_late_is_never_silent(runs, started, beat, start):
    series = runs()
    series.feed(started(0, lag=7200), beat(30, lag=7170), beat(60, lag=7140))
    assert [output for output in series.until(start + 40 * DAY) if not isinstance(output, Forget)] == []


def test_a_foreign_run_is_watched_only_once_it_sent_a_heartbeat(runs, started, beat, transitions, start):
    silent, watched = runs(), runs()
    silent.feed(started(0, source="curl"))
    watched.feed(started(0, source="curl"), beat(30, source="curl"))
    assert transitions(silent.until(start + DAY)) == []
    assert transitions(watched.until(start + HOUR)) == [("opened", "RunSilent")]


def test_a_killed_run_is_given_up_and_forgotten_and_a_live_heartbeat_finds_it_again(
    runs, started, beat, transitions, start
):
    series = runs()
    series.feed(started(0))
    found = series.until(start + 25 * HOUR)
    assert transitions(found) == [("opened", "RunSilent"), ("closed", "RunSilent")]
    assert found[-1].reason == "given up"
    series.feed(beat(26 * 3600.0))
    found = series.until(start + 90 * DAY)
    assert transitions(found) == [("opened", "RunSilent"), ("closed", "RunSilent")]
    assert found[-1] == Forget()
    assert series.processor.next_timer(series.state, series.rules) is None


def test_a_shorter_limit_acts_at_once_and_a_disabled_rule_closes(runs, started, transitions, start):
    series = runs()
    series.feed(started(0))
    assert series.until(start + 5 * MINUTE) == []
    assert transitions(series.switch(LifecycleRule(silent=SilentRule(after="2m")))) == [("opened", "RunSilent")]
    found = series.switch(LifecycleRule(enabled=False))
    assert (transitions(found), found[0].reason) == ([("closed", "RunSilent")], "rule disabled")


def test_a_finding_open_for_long_closes_when_its_rule_goes(runs, started, transitions, start):
    rule = SilentRule(give_up="9d")
    series = runs(silent=rule)
    series.feed(started(0))
    assert transitions(series.until(start + 5 * DAY)) == [("opened", "RunSilent")]
    assert transitions(series.switch(LifecycleRule(silent=SilentRule(enabled=False)))) == [("closed", "RunSilent")]


def test_a_newer_state_is_refused():
    with pytest.raises(StateTooNewError):
        RunsProcessor().migrate(msgspec.msgpack.encode({}), 2)
