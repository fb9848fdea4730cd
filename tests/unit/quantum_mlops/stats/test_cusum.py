import math

import msgspec
import numpy as np
import pytest

from quantum_mlops.stats import Cusum, average_run_length, threshold, update

# Two-sided limits for k = 0.5, computed beforehand by an independent quadrature, not with this module.
DESIGN = {370.4: 4.775, 1e3: 5.757, 1e4: 8.053, 1e5: 10.355, 1e6: 12.657}

# Hawkins (1993, Quality Engineering 5:463), as in Montgomery, table 9.4: two-sided, run length 370.
HAWKINS = {0.25: 8.01, 0.5: 4.77, 0.75: 3.34, 1.0: 2.52, 1.25: 1.99, 1.5: 1.61}

# Lucas & Crosier (1982, Technometrics 24:199) and Montgomery, table 9.3: two-sided, k = 0.5.
PUBLISHED = {
    4.0: {
        0.0: 168,
        0.25: 74.2,
        0.5: 26.6,
        0.75: 13.3,
        1.0: 8.38,
        1.5: 4.75,
        2.0: 3.34,
        2.5: 2.62,
        3.0: 2.19,
        4.0: 1.71,
    },
    5.0: {0.0: 465, 0.25: 139, 0.5: 38.0, 0.75: 17.0, 1.0: 10.4, 1.5: 5.75, 2.0: 4.01, 2.5: 3.11, 3.0: 2.57, 4.0: 2.01},
}


@pytest.mark.parametrize(("arl0", "h"), DESIGN.items())
def test_limits_are_the_design_constants(arl0: float, h: float) -> None:
    assert threshold(arl0, 0.5, "two") == pytest.approx(h, abs=6e-4)
    assert average_run_length(threshold(arl0, 0.5, "two"), 0.5, "two") == pytest.approx(arl0, rel=1e-5)


@pytest.mark.parametrize(("k", "h"), HAWKINS.items())
def test_limits_are_those_that_hawkins_tabulates(k: float, h: float) -> None:
    assert threshold(370.0, k, "two") == pytest.approx(h, abs=6e-3)


@pytest.mark.parametrize(("k", "h"), [(0.25, 14.49), (1.0, 4.160)])
def test_limits_hold_for_other_reference_values(k: float, h: float) -> None:
    assert threshold(1e4, k, "two") == pytest.approx(h, abs=5e-3)


@pytest.mark.parametrize("h", PUBLISHED)
def test_run_lengths_are_the_published_ones(h: float) -> None:
    for shift, published in PUBLISHED[h].items():
        assert average_run_length(h, 0.5, "two", shift) == pytest.approx(published, rel=5e-3)  # printed to three digits


@pytest.mark.parametrize("k", [0.25, 0.5, 1.0, 2.0])
def test_the_solved_run_length_is_the_declared_one_far_below_a_thousandth(k: float) -> None:
    for arl0 in (50.0, 1e4, 1e9):
        assert average_run_length(threshold(arl0, k), k) == pytest.approx(arl0, rel=1e-4)


def test_one_side_needs_a_lower_limit_than_two() -> None:
    assert threshold(1e4) == pytest.approx(threshold(5e3, sided="two"), abs=1e-5)


def test_simulated_run_lengths_agree_with_the_integral_equation() -> None:
    rng = np.random.default_rng(2)
    h = threshold(200.0)
    lengths = []
    for _ in range(600):
        chart, steps = Cusum(), 0
        while update(chart, float(rng.standard_normal())) <= h:
            steps += 1
        lengths.append(steps + 1)
    assert np.mean(lengths) == pytest.approx(200.0, abs=3.3 * np.std(lengths) / math.sqrt(600))


def test_arms_rise_and_return_to_zero_and_since_names_the_start() -> None:
    chart = Cusum()
    for z in (1.0, -3.0, 0.2, 2.0, 2.0):
        update(chart, z)
    assert chart == Cusum(upper=3.0, lower=0.0, count=5, since=4)
    update(chart, -9.0)
    assert (chart.upper, chart.since) == (0.0, 0)


def test_the_two_sided_chart_sees_a_fall() -> None:
    chart = Cusum()
    values = [update(chart, -2.0, sided="two") for _ in range(3)]
    assert values == [1.5, 3.0, 4.5]
    assert chart.upper == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused_and_leaves_no_trace(bad: float) -> None:
    chart = Cusum(upper=1.0, count=3, since=3)
    with pytest.raises(ValueError, match="finite scores only"):
        update(chart, bad)
    assert chart == Cusum(upper=1.0, count=3, since=3)


def test_the_state_survives_encoding_bit_for_bit_at_every_step() -> None:
    rng = np.random.default_rng(4)
    straight, stored = Cusum(), Cusum()
    for z in rng.standard_normal(200).tolist():
        update(straight, z, sided="two")
        stored = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=Cusum)
        update(stored, z, sided="two")
        assert msgspec.msgpack.encode(stored) == msgspec.msgpack.encode(straight)
    assert type(straight.upper) is float
    assert type(straight.lower) is float


def test_designs_out_of_range_are_refused() -> None:
    for arl0, k in ((5.0, 0.5), (math.nan, 0.5), (1e4, 0.0), (1e4, 9.0)):
        with pytest.raises(ValueError, match="need an average run length"):
            threshold(arl0, k)
    with pytest.raises(ValueError, match="too large for one alarm"):
        threshold(10.0, 2.0)
    with pytest.raises(ValueError, match="need a limit h"):
        average_run_length(0.0)
