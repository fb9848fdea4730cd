import random

import pytest
from scipy.special import bdtr

from quantum_mlops.stats.order_statistics import at_most, quantile_rank


@pytest.mark.parametrize(
    ("successes", "trials", "share"),
    [(0, 1, 0.5), (1, 10, 0.1), (200, 500, 0.45), (20, 500, 0.02), (250, 500, 0.005), (29, 30, 0.7), (0, 500, 0.7), (5, 5, 0.2)],
)  # fmt: skip
def test_the_binomial_distribution_is_scipys(successes, trials, share):
    assert at_most(successes, trials, share) == pytest.approx(
        float(bdtr(successes, trials, share)), rel=1e-9, abs=1e-300
    )


def test_the_order_statistic_is_the_least_that_covers_the_quantile():
    for size in (59, 60, 93, 200, 500):
        rank = quantile_rank(size, 0.95, 0.95)
        assert at_most(rank - 1, size, 0.95) >= 0.95
        assert at_most(rank - 2, size, 0.95) < 0.95
    assert quantile_rank(58, 0.95, 0.95) is None
    assert quantile_rank(0, 0.95, 0.95) is None


def test_the_bound_covers_the_quantile_as_often_as_it_says_whatever_the_shape():
    rng = random.Random(20261121)
    rank = quantile_rank(100, 0.95, 0.95)
    quantile = 0.05 ** (-1 / 1.5)  # of a Pareto distribution with index 1.5
    covered = sum(sorted(rng.paretovariate(1.5) for _ in range(100))[rank - 1] >= quantile for _ in range(2000))
    assert covered >= 1870  # 95 % of 2,000 less three standard deviations
