"""Simulated run lengths of the chart on rank scores, for the tails that costs have."""

from bisect import insort

import numpy as np
import pytest

from quantum_mlops.stats import Cusum, rank_score, threshold, update

STREAMS = {
    "lognormal 1.3": lambda rng, size: rng.lognormal(0.0, 1.3, size),
    "Pareto 1.5": lambda rng, size: 1 + rng.pareto(1.5, size),
    "gamma .5": lambda rng, size: rng.gamma(0.5, 1.0, size),
}
NOMINAL = 200.0


def run_length(score, values, limit):
    chart = Cusum()
    for number, value in enumerate(values, 1):
        if update(chart, score(value)) > limit:
            return number
    pytest.fail("the stream was too short for an alarm")


@pytest.mark.parametrize("name", STREAMS)
def test_the_run_length_is_near_nominal_whatever_the_tail(name):
    rng = np.random.default_rng(7)
    limit = threshold(NOMINAL)
    lengths = []
    for _ in range(150):
        reference = sorted(STREAMS[name](rng, 500).tolist())
        values = STREAMS[name](rng, 4000).tolist()
        lengths.append(run_length(lambda value, ordered=reference: rank_score(ordered, value), values, limit))
    assert 0.75 * NOMINAL < np.mean(lengths) < 1.35 * NOMINAL


def test_a_mean_and_a_standard_deviation_would_alarm_far_too_often_there():
    rng = np.random.default_rng(7)
    limit = threshold(1000.0)
    alarms = {"ranks": 0, "moments": 0}
    for _ in range(20):
        reference = sorted(rng.lognormal(0.0, 1.3, 500).tolist())
        mean, deviation = np.mean(reference), np.std(reference)
        for name, chart in (("ranks", Cusum()), ("moments", Cusum())):
            for value in rng.lognormal(0.0, 1.3, 1000).tolist():
                z = rank_score(reference, value) if name == "ranks" else (value - mean) / deviation
                if update(chart, z) > limit:
                    alarms[name] += 1
                    chart.upper = 0.0
    assert alarms["ranks"] < 45  # 20 expected
    assert alarms["moments"] > 3 * alarms["ranks"]


def test_a_reference_that_grows_with_the_stream_keeps_the_run_length():
    rng = np.random.default_rng(11)
    limit = threshold(NOMINAL)
    lengths = []
    for _ in range(150):
        reference = sorted(rng.lognormal(0.0, 1.3, 20).tolist())

        def score(value, ordered=reference):
            z = rank_score(ordered, value)
            insort(ordered, value)
            return z

        lengths.append(run_length(score, rng.lognormal(0.0, 1.3, 4000).tolist(), limit))
    assert 0.75 * NOMINAL < np.mean(lengths) < 1.6 * NOMINAL


def test_one_value_alone_cannot_pass_a_limit():
    assert rank_score([float(value) for value in range(500)], 1e300) < 3.1 < threshold(10_000.0)


def test_equal_values_score_nothing_and_a_larger_one_scores_high():
    reference = [0.25] * 500
    assert rank_score(reference, 0.25) == 0.0
    assert rank_score(reference, 0.26) > 3.0
    assert rank_score(reference, 0.24) < -3.0


def test_an_empty_reference_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        rank_score([], 1.0)
