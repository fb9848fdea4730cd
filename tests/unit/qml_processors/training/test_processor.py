import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_processors.base import Forget
from qml_processors.training import TrainingProcessor
from qml_processors.training.state import END_GRACE, SILENT_AFTER
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Rules, TrainingRule
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Context, Event, GradientStatistics, MetricLogged, RunEnded, Tick, type_name

NAN = MetricLogged(nonfinite={"loss": "nan"})
ENDED = RunEnded(status="failed", duration_seconds=1.0)


def test_only_metrics_and_ends_of_runs_have_a_series():
    processor = TrainingProcessor()
    event = Event(
        id="1",
        source="s",
        type=type_name("metric.logged"),
        time=0,
        partitionkey="p",
        context=Context(runid="r1"),
        data=NAN,
    )
    assert processor.keys(event) == ("r1",)
    assert processor.keys(msgspec.structs.replace(event, data=ENDED)) == ("r1",)
    assert processor.keys(msgspec.structs.replace(event, context=Context())) == ()
    assert processor.keys(msgspec.structs.replace(event, data=Tick())) == ()


def test_the_end_of_a_run_closes_and_forgets_a_minute_later_and_still_takes_what_came_before(training, said):
    run = training()
    run.log(ENDED)
    assert said(run.log(NAN)) == [("opened", "LossNaN")]
    assert run.until(SECOND + END_GRACE - 1) == []
    closed, forget = run.until(SECOND + END_GRACE)
    assert (closed.transition, closed.reason, closed.severity) == ("closed", "run ended", "critical")
    assert isinstance(forget, Forget)
    assert run.processor.next_timer(run.state, run.rules) is None


def test_a_run_that_was_killed_closes_and_is_forgotten_after_two_days(training, said):
    run = training()
    run.log(NAN)
    assert run.until(SILENT_AFTER) == []
    found = run.until(SECOND + SILENT_AFTER)
    assert said(found) == [("closed", "LossNaN")]
    assert found[0].reason == "run silent"


@pytest.mark.parametrize("rule", [TrainingRule(enabled=False), TrainingRule(off=["LossNaN"])])
def test_a_rule_that_is_off_finds_nothing_and_closes_what_is_open(training, said, rule):
    run = training()
    run.log(NAN)
    run.rules = Rules(training=rule)
    (closed,) = run.until(2 * SECOND)
    assert (closed.transition, closed.reason) == ("closed", "rule disabled")
    assert said(run.log(NAN)) == []


def test_severities_are_the_users(training):
    (opened,) = training(loss_nan_severity="info").log(NAN)
    assert opened.severity == "info"


def test_a_state_stays_small(training):
    run = training()
    run.gradients([(1.0 / (step + 1), [0.1 + step] * 16) for step in range(500)])
    assert len(msgspec.msgpack.encode(run.state)) < 600


def test_a_newer_state_is_refused():
    with pytest.raises(StateTooNewError):
        TrainingProcessor().migrate(b"\x80", 2)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.builds(
    MetricLogged,
    values=st.dictionaries(st.sampled_from(["loss", "energy", ""]), FLOATS, max_size=2),
    nonfinite=st.dictionaries(st.sampled_from(["loss", "x"]), st.sampled_from(["nan", "inf"]), max_size=1),
    gradient=st.none()
    | st.builds(
        GradientStatistics, size=st.integers(0, 9), norm=st.none() | FLOATS, variance=st.none() | FLOATS, mean=FLOATS
    ),
)


@given(st.lists(st.tuples(METRICS, st.integers(1, 40)), max_size=12))
def test_whatever_is_logged_transitions_alternate_and_numbers_are_finite(training, steps):
    run, found = training(plateau_steps=20, stall_steps=20), []
    for data, times in steps:
        for _ in range(times):
            found += run.log(data)
    found += run.until(run.step * SECOND + SILENT_AFTER)
    is_open = set()
    for one in found:
        if isinstance(one, Forget):
            assert not is_open
            continue
        assert (one.rule in is_open) == (one.transition == "closed")
        is_open ^= {one.rule}
        assert all(math.isfinite(value) for value in one.values.values())
