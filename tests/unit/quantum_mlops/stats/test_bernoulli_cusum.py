import random

import pytest

from quantum_mlops.stats.bernoulli_cusum import Walk, falling, rising, walk_run_length


@pytest.mark.parametrize("p0", [0.005, 0.05, 0.2, 0.5])
def test_the_limit_is_the_smallest_with_the_declared_run_length(p0):
    walk = rising(p0, p0 + 0.2, 1e4)
    assert walk_run_length(walk, p0) >= 1e4
    assert walk_run_length(Walk(walk.up, walk.down, walk.limit - 1), p0) < 1e4
    back = falling(p0, p0 + 0.2, 1e3)
    assert walk_run_length(back, 1 - p0 - 0.2) >= 1e3


@pytest.mark.parametrize("p0", [0.05, 0.3])
def test_the_run_length_is_that_of_a_simulation(p0):
    rng = random.Random(f"bernoulli {p0}")
    walk = rising(p0, p0 + 0.3, 200.0)
    lengths = []
    for _ in range(1000):
        level = length = 0
        while level < walk.limit:
            level = level + walk.up if rng.random() < p0 else max(0, level - walk.down)
            length += 1
        lengths.append(length)
    # Run lengths are nearly geometric: the standard error of the mean is a thirtieth of it. Four of them.
    assert sum(lengths) / 1000 == pytest.approx(walk_run_length(walk, p0), rel=4 / 31.6)


def test_a_wider_shift_is_found_sooner():
    walk = rising(0.05, 0.25, 1e4)
    assert walk_run_length(walk, 0.9) < walk_run_length(walk, 0.5) < walk_run_length(walk, 0.25) < 40


@pytest.mark.parametrize(("p0", "p1"), [(0.2, 0.2), (0.3, 0.1), (0.0, 0.2), (0.5, 0.99), (float("nan"), 0.2)])
def test_shares_that_make_no_chart_are_refused(p0, p1):
    with pytest.raises(ValueError, match="need 0.001 <= p0 < p1"):
        rising(p0, p1, 1e4)


def test_two_shares_that_are_too_near_are_refused():
    with pytest.raises(ValueError, match="too near"):
        rising(0.5, 0.501, 1e9)
