import pytest
from scipy import stats

from quantum_mlops.stats import clopper_pearson, count_limits


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 10), (1, 10), (5, 10), (10, 10), (81, 263), (15, 148), (3, 100_000)]
)
def test_the_interval_agrees_with_scipy(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(0.99, method="exact")
    assert clopper_pearson(successes, trials, 0.99) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_is_the_published_one() -> None:
    # Newcombe (1998, Statistics in Medicine 17:857), table I, exact method: 81 of 263 and 15 of 148.
    assert clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.9, 0.99, 0.999])
def test_count_limits_leave_at_most_half_the_rest_on_either_side_and_are_the_tightest(confidence: float) -> None:
    tail = (1 - confidence) / 2
    for trials, probability in ((1_000, 0.05), (1_000, 1e-4), (40, 0.5), (10, 0.0), (10, 1.0)):
        law = stats.binom(trials, probability)
        low, high = count_limits(trials, probability, confidence)
        assert law.cdf(low - 1) < tail <= law.cdf(low)
        assert law.sf(high) <= tail
        assert high == 0 or law.sf(high - 1) > tail


def test_impossible_counts_are_refused() -> None:
    for successes, trials in ((-1, 10), (11, 10), (0, 0)):
        with pytest.raises(ValueError, match="need 0 <= successes <= trials"):
            clopper_pearson(successes, trials)
    with pytest.raises(ValueError, match="need trials"):
        count_limits(10, 1.5)
