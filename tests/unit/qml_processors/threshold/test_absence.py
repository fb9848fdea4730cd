import msgspec
import pytest

from qml_processors.threshold.absence import LIVE_WITHIN
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import MetricLogged

GONE = ThresholdRule(name="NoAccuracy", metric="acc", absent="10m", severity="critical")


def test_a_metric_that_stays_away_opens_by_the_logs_clock_and_closes_when_it_is_received(stream, said):
    run = stream(GONE)
    assert said(run.metric(SECOND, acc=0.9) + run.metric(MINUTE, loss=0.1)) == []
    assert said(run.until(SECOND + 10 * MINUTE - 1)) == []
    (opened,) = run.until(SECOND + 10 * MINUTE)
    assert (opened.transition, opened.rule, opened.severity) == ("opened", "NoAccuracy/absent", "critical")
    assert opened.annotations["summary"] == "acc was not received for 10m (run r1, which sent no end)"
    assert "Is the process alive" in opened.annotations["description"]
    assert opened.values == {"bound": 600.0}
    assert opened.evidence == [("qml://lab/n/1", f"{1:016x}")]
    assert said(run.until(HOUR)) == []
    (closed,) = run.metric(HOUR, acc=0.9)
    assert (closed.transition, closed.reason) == ("closed", "received again")
    assert closed.annotations["summary"] == "acc is received again (run r1)"


def test_a_metric_that_never_came_is_not_missed(stream, said):
    run = stream(GONE)
    run.metric(SECOND, loss=0.1)
    assert said(run.until(DAY)) == []


def test_a_spool_shipped_late_does_not_begin_an_absence_and_its_live_successor_does(stream, said):
    run = stream(GONE)
    run.metric(SECOND, acc=0.9, ingested=SECOND + LIVE_WITHIN + 1)
    assert said(run.until(HOUR)) == []
    run.metric(HOUR, acc=0.9, ingested=HOUR + LIVE_WITHIN)
    assert said(run.until(2 * HOUR)) == [("opened", "NoAccuracy/absent")]


def test_a_run_that_ended_misses_nothing_and_its_end_closes(stream, said):
    run = stream(GONE)
    run.metric(SECOND, acc=0.9)
    run.end(10 * MINUTE)
    assert said(run.until(DAY)) == []
    run.metric(DAY, acc=0.9, run="r2")
    assert said(run.until(DAY + HOUR)) == [("opened", "NoAccuracy/absent")]
    run.end(DAY + HOUR, run="r2")
    found = run.until(DAY + 2 * HOUR)
    assert said(found) == [("closed", "NoAccuracy/absent")]
    assert found[0].reason == "run ended"
    assert found[0].annotations["summary"] == "acc is no longer waited for: run ended (run r2)"


def test_a_run_that_was_killed_closes_after_two_days(stream, said):
    run = stream(GONE)
    run.metric(SECOND, acc=0.9)
    assert said(run.until(SECOND + 2 * DAY)) == [("opened", "NoAccuracy/absent"), ("closed", "NoAccuracy/absent")]
    assert run.states == {}


def test_a_value_that_is_not_finite_was_received(stream, said):
    run = stream(GONE)
    run.metric(SECOND, acc=0.9)
    run.feed("metric.logged", MetricLogged(nonfinite={"acc": "nan"}), 9 * MINUTE)
    assert said(run.until(15 * MINUTE)) == []


@pytest.mark.parametrize("after", [[], [msgspec.structs.replace(GONE, metric="f1")]])
def test_a_rule_that_is_gone_or_watches_another_metric_closes(stream, said, after):
    run = stream(GONE)
    run.metric(SECOND, acc=0.9)
    run.until(HOUR)
    run.rules = Rules(threshold=after)
    assert said(run.until(HOUR + 1)) == [("closed", "NoAccuracy/absent")]
    assert run.states["r1"].received == {}
