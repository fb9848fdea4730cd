"""Simulated false alarms of a spike rule that claims 1 in 10,000, on logarithms of costs."""

import numpy as np
import pytest

from quantum_mlops.stats import fit_tail, tail_quantile
from quantum_mlops.stats.pareto_tail import LEAST_OBSERVATIONS

CLAIMED = 1e-4
STREAMS = {
    "lognormal 1.3": lambda rng, size: np.log(rng.lognormal(0.0, 1.3, size)),
    "Pareto 1.5": lambda rng, size: np.log(1 + rng.pareto(1.5, size)),
    "gamma .5": lambda rng, size: np.log(rng.gamma(0.5, 1.0, size)),
}


def false_alarms(draw, size, times=100, seed=3):
    """Return the mean over fits of the true rate beyond the fitted quantile, as a multiple of the claimed one."""
    rng = np.random.default_rng(seed)
    fresh = np.sort(draw(rng, 1_000_000))
    rates = []
    for _ in range(times):
        limit = tail_quantile(fit_tail(np.sort(draw(rng, size)).tolist()), CLAIMED)
        rates.append(1 - np.searchsorted(fresh, limit) / fresh.size)
    return np.mean(rates) / CLAIMED


@pytest.mark.parametrize(
    ("name", "least", "most"), [("lognormal 1.3", 0.05, 0.6), ("Pareto 1.5", 0.5, 1.3), ("gamma .5", 0.0, 0.1)]
)
def test_false_spikes_are_at_most_about_as_frequent_as_claimed(name, least, most):
    for size, times in ((2000, 100), (10_000, 40)):
        assert least <= false_alarms(STREAMS[name], size, times) < most


def test_a_shape_above_zero_is_fitted():
    rng = np.random.default_rng(1)
    tail = fit_tail(np.sort(rng.pareto(4.0, 40_000)).tolist())
    assert 0.15 < tail.shape < 0.35
    truth = 10_000 ** (1 / 4.0) - 1
    assert tail_quantile(tail, CLAIMED) == pytest.approx(truth, rel=0.25)


def test_fewer_values_are_refused_and_named():
    with pytest.raises(ValueError, match="needs 2000 values, got 1999"):
        fit_tail([1.0] * 1999)


def test_a_tail_without_spread_lets_nothing_larger_pass():
    tail = fit_tail([1.0] * LEAST_OBSERVATIONS)
    assert tail_quantile(tail, CLAIMED) == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.0, 0.6, -1.0])
def test_a_share_that_is_no_tail_is_refused(share):
    with pytest.raises(ValueError, match="share of the tail"):
        fit_tail([1.0] * 2000, share)


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_a_probability_outside_the_tail_is_refused(probability):
    with pytest.raises(ValueError, match="probability"):
        tail_quantile(fit_tail([float(number) for number in range(2000)]), probability)
