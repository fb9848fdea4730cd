import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import special, stats

from quantum_mlops.stats.noncentral import MAX_SCORE, lower_gamma, normal_score, quantile, tails, upper_gamma


@pytest.mark.parametrize("df", [1, 2, 3, 15, 63, 255])
@pytest.mark.parametrize("noncentrality", [0.0, 0.01, 3.0, 82.0, 500.0, 4000.0])
def test_the_small_tail_agrees_with_scipy_to_nine_digits(df: int, noncentrality: float) -> None:
    reference = stats.ncx2(df, noncentrality) if noncentrality else stats.chi2(df)
    for score in (-6.0, -3.0, -0.5, 0.5, 3.0, 6.0):
        x = reference.ppf(stats.norm.cdf(score)) if score < 0 else reference.isf(stats.norm.sf(score))
        below, above = tails(float(x), df, noncentrality)
        expected = reference.cdf(x) if score < 0 else reference.sf(x)
        assert min(below, above) == pytest.approx(expected, rel=1e-9)
        assert below + above == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("df", [1, 15, 1023])
@pytest.mark.parametrize("noncentrality", [5_000.0, 8_000.0, 1e5])
def test_the_score_beyond_the_series_is_within_its_stated_error(df: int, noncentrality: float) -> None:
    for score in (-5.0, -1.0, 0.0, 1.0, 5.0):
        law = stats.ncx2(df, noncentrality)
        x = law.ppf(stats.norm.cdf(score)) if score < 0 else law.isf(stats.norm.sf(score))
        assert normal_score(float(x), df, noncentrality) == pytest.approx(score, abs=1e-3)


def test_the_score_is_exact_far_out_in_both_tails() -> None:
    law = stats.ncx2(15, 82.0)
    for score in (-5.5, -2.0, 2.0, 7.5):
        x = law.ppf(stats.norm.cdf(score)) if score < 0 else law.isf(stats.norm.sf(score))
        assert normal_score(float(x), 15, 82.0) == pytest.approx(score, abs=1e-7)


def test_the_lower_tail_is_exact_next_to_zero() -> None:
    for statistic in (1e-30, 1e-18, 1e-12, 1e-6):
        for noncentrality in (1e-6, 1.0, 30.0):
            # One degree of freedom: (Z + sqrt(noncentrality))^2, so the density at zero settles it.
            expected = 2 * math.sqrt(statistic) * stats.norm.pdf(math.sqrt(noncentrality))
            assert tails(statistic, 1, noncentrality)[0] == pytest.approx(expected, rel=1e-4)


def test_scores_are_clipped_and_survive_absurd_input() -> None:
    assert normal_score(0.0, 15, 82.0) == -MAX_SCORE
    assert normal_score(0.0, 1, 0.0) == -MAX_SCORE
    assert normal_score(1e300, 15, 82.0) == MAX_SCORE
    assert normal_score(1e-300, 15, 1e7) == -MAX_SCORE
    assert normal_score(9_999.0, 1, 0.0) == MAX_SCORE


@given(st.floats(0, 1e9), st.integers(1, 5_000), st.floats(0, 1e9))
@example(9_000.0, 1, 1e-3)
@example(1e-300, 5_000, 4_000.0)
@example(5e-324, 1, 5e-324)
def test_any_possible_arguments_give_probabilities_and_a_score(statistic: float, df: int, noncentrality: float) -> None:
    below, above = tails(statistic, df, noncentrality)
    assert 0 <= below <= 1
    assert below + above == pytest.approx(1.0, abs=1e-12)
    assert -MAX_SCORE <= normal_score(statistic, df, noncentrality) <= MAX_SCORE


def test_the_score_increases_with_the_statistic_and_falls_with_the_noncentrality() -> None:
    by_statistic = [normal_score(float(x), 15, 82.0) for x in range(5, 260)]
    by_noncentrality = [normal_score(120.0, 15, float(value)) for value in range(250)]
    assert by_statistic == sorted(by_statistic)
    assert by_noncentrality == sorted(by_noncentrality, reverse=True)


def test_the_score_is_continuous_where_the_series_ends() -> None:
    below, beyond = normal_score(4999.9, 15, 5000.0), normal_score(5000.1, 15, 5000.0)
    assert beyond - below == pytest.approx(0.2 / math.sqrt(2 * (15 + 2 * 5000)), abs=1e-4)


@pytest.mark.parametrize(("df", "noncentrality"), [(1, 82.0), (15, 0.0), (15, 82.0), (63, 410.0), (15, 41_000.0)])
def test_the_quantile_is_within_half_a_percent_of_scipy(df: int, noncentrality: float) -> None:
    law = stats.ncx2(df, noncentrality) if noncentrality else stats.chi2(df)
    for probability in (0.9, 0.99, 0.999):
        assert quantile(probability, df, noncentrality) == pytest.approx(law.ppf(probability), rel=5e-3)


def test_incomplete_gamma_functions_agree_with_scipy() -> None:
    for shape in (0.5, 1.0, 7.5, 40.0, 900.0):
        for ratio in (0.3, 0.99, 1.0, 1.05, 2.0):
            assert lower_gamma(shape, shape * ratio) == pytest.approx(special.gammainc(shape, shape * ratio), rel=1e-10)
            assert upper_gamma(shape, shape * ratio) == pytest.approx(special.gammaincc(shape, shape * ratio), rel=1e-9)


@pytest.mark.parametrize(
    "bad", [(-1.0, 15, 1.0), (1.0, 0, 1.0), (1.0, 15, -1.0), (math.nan, 15, 1.0), (1.0, 15, math.inf)]
)
def test_impossible_arguments_are_refused(bad: tuple[float, int, float]) -> None:
    with pytest.raises(ValueError, match="need statistic >= 0, df >= 1, noncentrality >= 0"):
        tails(*bad)
    with pytest.raises(ValueError, match="need statistic"):
        normal_score(*bad)


def test_a_quantile_of_certainty_is_refused() -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        quantile(1.0, 15, 82.0)
