import numpy as np
import pytest
from scipy import stats as scipy_stats

from quantum_mlops.stats import predict_sum
from quantum_mlops.stats.prediction import student_quantile


@pytest.mark.parametrize("df", [13, 20, 55])
@pytest.mark.parametrize("probability", [0.05, 0.9, 0.95, 0.975])
def test_students_quantile_is_that_of_scipy(probability, df):
    assert student_quantile(probability, df) == pytest.approx(scipy_stats.t.ppf(probability, df), abs=5e-4)


@pytest.mark.parametrize(("name", "least"), [("gamma", 0.86), ("lognormal", 0.80), ("normal", 0.87)])
def test_the_interval_covers_about_nine_of_ten(name, least):
    rng = np.random.default_rng(5)
    draw = {
        "gamma": lambda size: rng.gamma(2.0, 5.0, size),
        "lognormal": lambda size: rng.lognormal(2.0, 0.8, size),
        "normal": lambda size: rng.normal(100.0, 10.0, size),
    }[name]
    held = 0
    for _ in range(1000):
        prediction = predict_sum(draw(28).tolist(), 10)
        held += prediction.low <= draw(10).sum() <= prediction.high
    assert least < held / 1000 < 0.94


def test_nothing_is_foretold_from_less_than_two_weeks():
    assert predict_sum([1.0] * 13, 5) is None
    assert predict_sum([1.0] * 14, 5).expected == 5.0


def test_no_days_ahead_cost_nothing_and_nothing_costs_less_than_nothing():
    assert predict_sum([1.0, 3.0] * 10, 0).high == 0.0
    assert predict_sum([0.0] * 13 + [100.0], 3).low == 0.0


@pytest.mark.parametrize(("ahead", "confidence"), [(-1, 0.9), (1, 1.0), (1, 0.0)])
def test_what_makes_no_sense_is_refused(ahead, confidence):
    with pytest.raises(ValueError, match="need ahead"):
        predict_sum([1.0] * 20, ahead, confidence)
