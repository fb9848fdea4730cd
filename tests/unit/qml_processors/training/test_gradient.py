import math

import numpy as np
import pytest

from qml_processors.training.gradient import outlier_score
from quantum_mlops.events import GradientStatistics, MetricLogged

EXPLOSION, PLATEAU = ("opened", "GradientExplosion"), ("opened", "BarrenPlateau")
SIZE = 16


def norms(values, losses=None):
    return [
        (None if losses is None else losses[number], [value / math.sqrt(SIZE)] * SIZE)
        for number, value in enumerate(values)
    ]


def quadratic(rng, kind, *, rate, noise, steps=300, scale=1.0):
    """Gradient descent on a bowl: gradients exact, by the parameter shift, or by SPSA."""
    theta, seen = rng.normal(0, scale, SIZE), []

    def loss(point):
        return 0.5 * float(np.mean(point * point)) + rng.normal(0, noise)

    for _ in range(steps):
        if kind == "spsa":
            direction = rng.choice([-1.0, 1.0], SIZE)
            gradient = (loss(theta + 0.2 * direction) - loss(theta - 0.2 * direction)) / 0.4 * direction
        else:
            gradient = theta / SIZE + rng.normal(0, noise / math.sqrt(2) if kind == "shift" else 0.01, SIZE)
        seen.append((loss(theta), gradient))
        theta = theta - rate * gradient
    return seen


@pytest.mark.parametrize("kind", ["exact", "shift", "spsa"])
def test_healthy_descents_with_gradients_are_silent(training, said, kind):
    """Seeded: 0 alarms in 40 runs of 300 steps each, from slow to fast and from little noise to much."""
    rng = np.random.default_rng(5)
    for number in range(40):
        rate, noise = (0.05, 0.3, 1.0)[number % 3], (0.003, 0.03)[number % 2]
        assert said(training().gradients(quadratic(rng, kind, rate=rate, noise=noise))) == []


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 3.0])
def test_log_normal_norms_explode_no_oftener_than_declared(training, said, spread):
    """Seeded: at most 1 of 10,000 gradients at the declared 1 per 1,000, whatever their spread."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(5):
        run = training(false_alarms="1 per 1000 observations")
        found += said(run.gradients(norms(np.exp(rng.normal(0, spread, 2000)))))
    assert found.count(EXPLOSION) <= 1


@pytest.mark.parametrize(("correlation", "spread"), [(0.5, 1.0), (0.9, 1.0), (0.98, 1.0), (0.9, 2.0)])
def test_norms_that_resemble_the_one_before_explode_no_oftener_than_declared(training, said, correlation, spread):
    """Seeded: at most 4 in 20,000 gradients at the declared 1 per 5,000."""
    rng = np.random.default_rng(12)
    found = []
    for _ in range(10):
        heights = [rng.normal(0, spread)]
        for step in rng.normal(0, spread * math.sqrt(1 - correlation**2), 1999):
            heights.append(correlation * heights[-1] + step)
        found += said(training(false_alarms="1 per 5000 observations").gradients(norms(np.exp(heights))))
    assert found.count(EXPLOSION) <= 4


def test_two_gradients_far_above_their_history_open_and_one_does_not(training, said):
    rng = np.random.default_rng(7)
    history = list(np.exp(rng.normal(0, 0.2, 60)))
    run = training()
    assert said(run.gradients(norms([*history, 100.0, 1.0, 100.0]))) == []
    (opened,) = run.gradients(norms([120.0]))
    assert (opened.rule, opened.values["norm"]) == ("GradientExplosion", pytest.approx(120.0))
    assert opened.values["median"] == pytest.approx(1.0, rel=0.2)
    assert opened.annotations["summary"].startswith("run r1: the gradient's norm is 120 at step 64, 1")
    assert "the loss is not received" in opened.annotations["description"]


def test_ten_norms_in_a_row_under_the_limit_close_an_explosion(training, said):
    run = training()
    assert said(run.gradients(norms([1.0] * 40 + [50.0] * 5 + [1.0] * 9))) == [EXPLOSION]
    assert said(run.gradients(norms([1.0]))) == [("closed", "GradientExplosion")]


def test_slow_growth_is_no_explosion_and_growth_without_end_is_one(training, said):
    assert said(training().gradients(norms([1.01**step for step in range(500)]))) == []
    assert EXPLOSION in said(training().gradients(norms([1.05**step for step in range(200)])))


def test_large_gradients_while_the_loss_falls_are_no_explosion(training, said):
    losses = [1.0] * 40 + [1.0 - 0.02 * step for step in range(20)]
    assert said(training().gradients(norms([1.0] * 40 + [50.0] * 20, losses))) == []


def test_a_factor_below_the_configured_one_is_no_explosion(training, said):
    values = [1.0] * 40 + [50.0] * 5
    assert said(training(explosion_factor=100.0).gradients(norms(values))) == []


@pytest.mark.parametrize(("kind", "noise"), [("shift", 0.03), ("exact", 1e-7)])
def test_a_start_on_a_plateau_is_found_and_does_not_flap(training, said, kind, noise):
    rng = np.random.default_rng(8)
    for _ in range(20):
        run = training()
        size = noise / math.sqrt(2) if kind == "shift" else 1e-6
        found = run.gradients([(0.5 + rng.normal(0, noise), rng.normal(0, size, SIZE)) for _ in range(250)])
        assert said(found).count(PLATEAU) == 1
        opened = next(one for one in found if one.rule == "BarrenPlateau")
        assert opened.values["gradient"] <= opened.values["limit"]
        assert "loss never moved" in opened.annotations["summary"]


def test_gradients_that_fall_to_a_hundredth_while_the_loss_never_moves_are_a_plateau(training, said):
    rng = np.random.default_rng(9)
    seen = [(0.5 + rng.normal(0, 0.001), rng.normal(0, 1.0 if step < 20 else 0.004, SIZE)) for step in range(300)]
    assert said(training(stall_steps=1000).gradients(seen)) == [PLATEAU]


def test_a_converged_training_with_a_vanishing_gradient_is_no_plateau(training, said):
    rng = np.random.default_rng(10)
    seen = [(0.2 + math.exp(-step / 10), rng.normal(0, math.exp(-step / 10), SIZE)) for step in range(500)]
    assert said(training().gradients(seen)) == []


def test_without_a_loss_a_plateau_is_not_claimed(training, said):
    assert said(training().gradients([(None, [1e-12] * SIZE)] * 400)) == []


def test_a_plateau_closes_when_the_loss_moves_or_the_gradient_is_back(training, said):
    rng = np.random.default_rng(11)
    flat = [(0.5 + rng.normal(0, 1e-7), [1e-7] * SIZE) for _ in range(150)]
    run = training()
    assert said(run.gradients(flat)) == [PLATEAU]
    assert said(run.gradients([(0.5 - 0.01 * step, [1e-7] * SIZE) for step in range(20)])) == [
        ("closed", "BarrenPlateau")
    ]
    run = training(off=["GradientExplosion"])
    assert said(run.gradients(flat)) == [PLATEAU]
    assert said(run.gradients([(0.5, [0.1] * SIZE)] * 10)) == [("closed", "BarrenPlateau")]


def test_a_norm_is_made_of_variance_and_mean_where_it_is_missing(training):
    run = training()
    run.log(MetricLogged(gradient=GradientStatistics(size=4, mean=3.0, variance=16.0)))
    assert run.state.gradient.level == pytest.approx(5.0)


@pytest.mark.parametrize("statistics", [
    GradientStatistics(size=4), GradientStatistics(size=0, norm=1.0), GradientStatistics(size=4, variance=-1.0),
    GradientStatistics(size=4, norm=-1.0), GradientStatistics(size=4, variance=1e308, mean=1e308),
])  # fmt: skip
def test_a_gradient_without_a_usable_norm_is_none(training, said, statistics):
    run = training()
    assert said(run.log(MetricLogged(gradient=statistics))) == []
    assert run.state.gradient.count == 0


def test_zero_and_huge_norms_are_numbers_like_others(training, said):
    found = training().gradients(norms([0.0] * 40 + [1e290] * 3))
    assert said(found) == [EXPLOSION]
    assert all(math.isfinite(value) for value in found[0].values.values())


def test_the_score_of_an_outlier_grows_as_the_declared_rate_falls():
    rates = ["1 per 100 observations", "1 per 10000 observations", "1 per 1000000 observations"]
    scores = [outlier_score(rate) for rate in rates]
    assert scores == sorted(scores)
    assert scores[1] == pytest.approx(5.19, abs=0.05)  # Student's t, 12 degrees of freedom, upper 1e-4: 5.19...
