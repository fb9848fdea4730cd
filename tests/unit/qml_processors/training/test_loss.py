import math

import numpy as np
import pytest

from quantum_mlops.config.rules import TrainingRule
from quantum_mlops.events import MetricLogged

STALLED = ("opened", "TrainingStalled")


def descent(rng, *, steps=180, start=1.1, end=0.5, noise=0.1, tau=30.0):
    """An SPSA training: exponential descent under the noise of shots and batches, then flat."""
    return [end + (start - end) * math.exp(-step / tau) + rng.normal(0, noise) for step in range(steps)]


def test_a_nan_is_said_at_once_with_the_last_finite_value_and_step(training, said):
    run = training()
    run.losses([0.9, 0.8, 0.7])
    (opened,) = run.log(MetricLogged(nonfinite={"loss": "nan"}))
    assert (opened.transition, opened.rule, opened.severity) == ("opened", "LossNaN", "critical")
    assert opened.annotations["summary"] == "run r1: loss is nan at step 4; the last finite value was 0.7 at step 3"
    assert opened.values == {"last_finite": 0.7, "last_finite_step": 3.0}
    assert opened.labels == {"run": "r1", "project": "iris"}
    assert said(run.log(MetricLogged(nonfinite={"loss": "inf"}))) == []


def test_a_nan_as_the_first_value_says_that_no_finite_one_was_received(training):
    (opened,) = training().log(MetricLogged(nonfinite={"objective": "nan"}))
    assert opened.annotations["summary"] == "run r1: objective is nan at step 1; the last finite value was not received"
    assert opened.values == {}
    assert opened.labels["project"] == "iris"


def test_ten_finite_losses_in_a_row_close_a_nan_and_nine_do_not(training, said):
    run = training()
    run.losses([0.5])
    run.log(MetricLogged(nonfinite={"loss": "nan"}))
    assert said(run.losses([0.5] * 9)) == []
    assert said(run.log(MetricLogged(nonfinite={"loss": "nan"}))) == []
    assert said(run.losses([0.5] * 10)) == [("closed", "LossNaN")]


@pytest.mark.parametrize("data", [
    MetricLogged(nonfinite={"grad_cosine": "nan"}),
    MetricLogged(nonfinite={"loss": "nan"}, phase="validate"),
])  # fmt: skip
def test_what_is_no_training_loss_may_be_nan(training, said, data):
    assert said(training().log(data)) == []


def test_300_healthy_noisy_descents_are_silent(training, said):
    """Seeded: 0 of 300 runs; by the rule of three at most 1 % of such runs alarm."""
    rng = np.random.default_rng(20261121)
    for number in range(300):
        start = (0.7, 0.9, 1.5)[number % 3]
        assert said(training().losses(descent(rng, start=start))) == []


def test_a_converged_training_is_no_stall_however_long_it_is_flat(training, said):
    rng = np.random.default_rng(1)
    for _ in range(10):
        assert said(training().losses(descent(rng, steps=1500))) == []


def test_a_loss_that_never_moved_is_a_stall_at_the_declared_step(training, said):
    rng = np.random.default_rng(2)
    found = [said(training().losses(0.7 + rng.normal(0, 0.1, 400))) for _ in range(100)]
    assert sum(STALLED in one for one in found) >= 90
    constant = training()
    assert said(constant.losses([1.0986] * 209)) == []
    (opened,) = constant.losses([1.0986])
    assert opened.severity == "info"
    assert opened.annotations["summary"] == "run r1: loss has not improved for 200 steps (3 min), since its start"
    assert opened.values == {"loss": 1.0986, "best": 1.0986, "noise": 0.0, "steps": 200.0}


def test_a_converged_training_is_a_stall_where_it_is_asked_for_and_closes_when_it_improves(training, said):
    rng = np.random.default_rng(3)
    run = training(stall_after_improvement=True)
    assert said(run.losses(descent(rng, steps=600))) == [STALLED]
    assert said(run.losses(0.1 + rng.normal(0, 0.02, 60))) == [("closed", "TrainingStalled")]


def test_a_stall_takes_its_time_by_the_emitters_clock_too(training, said):
    assert said(training(stall_time="10m").losses([1.0] * 500)) == []
    assert said(training(stall_time="10m").losses([1.0] * 620)) == [STALLED]


def test_a_metric_to_be_maximised_that_moves_is_no_stall(training, said):
    rng = np.random.default_rng(4)
    rising = [-value for value in descent(rng, steps=600)]
    assert said(training().losses(rising)) == []


def test_the_smallest_improvement_is_a_share_of_the_loss(training, said):
    falling = [1.0 - 1e-7 * step for step in range(400)]
    assert said(training().losses(falling)) == [STALLED]
    assert said(training(min_improvement=0.0).losses(falling)) == []


def test_a_value_older_than_the_last_of_its_source_is_passed_over(training):
    run = training()
    run.losses([0.5, 0.4])
    run.log(MetricLogged(values={"loss": 99.0}), time=1)
    assert run.state.loss.last == 0.4
    run.log(MetricLogged(values={"loss": 0.3}), time=1, source="qml://other/n/1")
    assert run.state.loss.last == 0.3


def test_huge_losses_are_not_followed_and_never_make_a_number_that_is_none(training, said):
    run = training()
    assert said(run.losses([1.0, 1e308, -1e308] * 100)) == []
    assert run.state.loss.count == 100
    assert math.isfinite(run.state.loss.noise)


def test_the_list_of_losses_is_the_users(training, said):
    run = training(loss_metrics=["nll"])
    assert said(run.log(MetricLogged(nonfinite={"loss": "nan"}))) == []
    assert said(run.log(MetricLogged(nonfinite={"nll": "-inf"}))) == [("opened", "LossNaN")]


def test_another_list_of_losses_starts_anew_and_closes_what_stood_on_the_old_one(training, said):
    run = training()
    assert said(run.losses([1.0] * 300)) == [STALLED]
    run.rules = type(run.rules)(training=TrainingRule(loss_metrics=["energy"]))
    (closed,) = run.losses([1.0])
    assert (closed.transition, closed.reason) == ("closed", "rule changed")
    run.log(MetricLogged(values={"energy": -1.0}))
    assert (run.state.loss.metric, run.state.loss.count) == ("energy", 1)
