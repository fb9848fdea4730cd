from collections.abc import Callable, Mapping

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from quantum_mlops.stats import Cells, Histogram, chi_square, divergence, homogeneity, pair
from quantum_mlops.stats.histogram import LARGEST_WHEN_TRUNCATED, MOST_OUTCOMES

Vector = NDArray[np.float64]
counts = st.dictionaries(st.text("01", min_size=1, max_size=4), st.integers(0, 10_000), max_size=12)


@given(st.lists(counts, max_size=5), st.randoms(use_true_random=False))
def test_the_pool_encodes_to_the_same_bytes_whatever_the_order_of_its_input(samples, random) -> None:
    straight, shuffled = Histogram(), Histogram()
    for sample in samples:
        straight.add(sample)
        items = list(sample.items())
        random.shuffle(items)
        shuffled.add(dict(items))
    assert msgspec.msgpack.encode(straight) == msgspec.msgpack.encode(shuffled)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(straight), type=Histogram) == straight
    assert straight.shots == sum(straight.counts) == sum(sum(sample.values()) for sample in samples)


def test_a_pool_with_a_negative_count_is_refused_and_unchanged() -> None:
    pool = Histogram()
    with pytest.raises(ValueError, match="must not be negative"):
        pool.add({"0": 5, "1": -1})
    assert pool == Histogram()


@given(counts.filter(lambda sample: sum(sample.values()) > 0), counts.filter(lambda sample: sum(sample.values()) > 0))
def test_cells_keep_every_shot_and_depend_on_the_observation_by_its_total_only(reference, observed) -> None:
    pool = Histogram()
    pool.add(reference)
    cells = pair(pool, observed)
    assert sum(cells.observed) == cells.shots == sum(observed.values())
    assert sum(cells.reference) == cells.reference_shots == pool.shots
    elsewhere = pair(pool, {"other": sum(observed.values())})
    assert elsewhere.reference == cells.reference


def test_every_cell_but_the_last_expects_five_in_the_smaller_sample() -> None:
    pool = Histogram()
    pool.add({"00": 90_000, "01": 9_000, "10": 490, "11": 510})
    assert pair(pool, {"00": 1000}).reference == [90_000, 9_000, 510, 490]
    assert pair(pool, {"00": 980}).reference == [90_000, 9_000, 1_000]


def test_a_full_pool_counts_further_outcomes_as_rest_whatever_their_order() -> None:
    many = {format(i, "012b"): 1 + i for i in range(MOST_OUTCOMES + 76)}
    straight, reverse = Histogram(), Histogram()
    straight.add(many)
    reverse.add(dict(reversed(many.items())))
    assert straight == reverse
    assert len(straight.outcomes) == MOST_OUTCOMES
    assert straight.rest == sum(list(many.values())[MOST_OUTCOMES:])
    assert straight.shots == sum(many.values()) == sum(straight.counts) + straight.rest
    straight.add(many)
    assert straight.counts[0] == 2


def test_truncated_outcomes_leave_cells_to_the_most_probable_only() -> None:
    pool = Histogram()
    pool.add({format(i, "06b"): 1000 + i for i in range(64)})
    assert pair(pool, {"000000": 64_000}).df == 64
    truncated = pair(pool, {"000000": 63_000}, rest=1_000)
    assert truncated.df == LARGEST_WHEN_TRUNCATED
    assert truncated.reference[:-1] == [1032 + i for i in range(32)]
    assert truncated.observed[-1] == 64_000


def test_too_few_shots_for_a_cell_leave_nothing_to_compare() -> None:
    pool = Histogram()
    pool.add({"0": 2, "1": 2})
    assert pair(pool, {"0": 4}).df == 0


def test_samples_without_shots_or_with_negative_counts_are_refused() -> None:
    pool = Histogram()
    with pytest.raises(ValueError, match="need shots"):
        pair(pool, {"0": 4})
    pool.add({"0": 4})
    with pytest.raises(ValueError, match="need shots"):
        pair(pool, {})
    with pytest.raises(ValueError, match="must not be negative"):
        pair(pool, {"0": 4, "1": -2})


def test_pearson_agrees_with_the_contingency_table_of_scipy() -> None:
    rng = np.random.default_rng(5)
    for shots in (100, 1_000):
        observed, reference = rng.multinomial(shots, [0.1, 0.2, 0.3, 0.4]), rng.multinomial(5_000, [0.2, 0.2, 0.3, 0.3])
        cells = Cells([*map(int, observed), 0], [*map(int, reference), 0], shots, 5_000)
        expected = stats.chi2_contingency([observed, reference], correction=False)
        assert chi_square(cells) == (pytest.approx(expected.statistic), expected.dof)


def test_the_stabilised_statistic_agrees_with_freeman_tukey_of_scipy_for_an_exact_reference_and_large_counts() -> None:
    expected = np.array([0.1, 0.2, 0.3, 0.4]) * 1e7
    observed = expected + np.array([3000.0, -5000.0, 1000.0, 1000.0])
    cells = Cells([int(x) for x in observed], [int(x) * 10_000 for x in expected], 10_000_000, 10**11)
    oracle = stats.power_divergence(observed, expected, lambda_="freeman-tukey").statistic
    assert homogeneity(cells) == pytest.approx(oracle, rel=1e-3)
    assert divergence(cells) == pytest.approx(homogeneity(cells) / 8 / cells.effective_shots)


@pytest.mark.parametrize("pool", [1, 10])
def test_both_statistics_keep_their_size_of_five_percent_when_nothing_changed(
    bases: Mapping[str, Vector], named: Callable[[Vector], dict[str, int]], pool: int
) -> None:
    rng = np.random.default_rng(11)
    draws = 1_500
    rejected = {"pearson": 0, "stabilised": 0}
    for _ in range(draws):
        reference = Histogram()
        reference.add(named(rng.multinomial(4096 * pool, bases["hanoi"])))
        cells = pair(reference, named(rng.multinomial(4096, bases["hanoi"])))
        value, df = chi_square(cells)
        rejected["pearson"] += value > stats.chi2.isf(0.05, df)
        rejected["stabilised"] += homogeneity(cells) > stats.chi2.isf(0.05, df)
    low, high = stats.binom.interval(0.999, draws, 0.05)
    assert low <= rejected["pearson"] <= high
    assert low <= rejected["stabilised"] <= high
