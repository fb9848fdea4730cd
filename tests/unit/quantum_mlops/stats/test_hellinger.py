from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from quantum_mlops.stats import (
    Cells,
    Histogram,
    count_limits,
    divergence,
    estimate_distance,
    hellinger_distance,
    noise_floor,
    pair,
)

Vector = NDArray[np.float64]


def test_distance_is_symmetric_zero_for_equal_shapes_and_one_for_disjoint() -> None:
    left, right = {"00": 1.0, "01": 3.0}, {"01": 5.0, "11": 2.0}
    assert hellinger_distance(left, right) == hellinger_distance(right, left)
    assert hellinger_distance(left, {"00": 10.0, "01": 30.0}) == 0.0
    assert hellinger_distance({"0": 1}, {"1": 1}) == 1.0
    affinity = np.sqrt(0.75 * 5 / 7)
    assert hellinger_distance(left, right) == pytest.approx(np.sqrt(1 - affinity))


def test_histograms_without_weight_are_refused() -> None:
    for left, right in (({}, {"0": 1.0}), ({"0": 1.0}, {"0": 0.0}), ({"0": 2.0, "1": -1.0}, {"0": 1.0})):
        with pytest.raises(ValueError, match="positive total"):
            hellinger_distance(left, right)


@pytest.mark.parametrize("reference_shots", [4_096, 40_960])
def test_two_samples_of_one_distribution_show_the_floor(hanoi: Mapping[str, Vector], reference_shots: int) -> None:
    rng = np.random.default_rng(3)
    measured = []
    for _ in range(2_000):
        x, y = rng.multinomial(4_096, hanoi["before"]), rng.multinomial(reference_shots, hanoi["before"])
        measured.append(divergence(Cells([int(v) for v in x], [int(v) for v in y], 4_096, reference_shots)))
    floor = noise_floor(15, 4_096 * reference_shots / (4_096 + reference_shots))
    assert np.sqrt(np.mean(measured)) == pytest.approx(floor, rel=0.03)


@pytest.mark.parametrize("distance", [0.0, 0.02, 0.05, 0.1])
def test_the_estimate_is_unbiased_in_the_square_and_the_interval_covers(
    bases: Mapping[str, Vector],
    at_distance: Callable[[Vector, Vector, float], Vector],
    named: Callable[[Vector], dict[str, int]],
    distance: float,
) -> None:
    rng = np.random.default_rng(17)
    q = bases["hanoi"]
    p = at_distance(q, np.sqrt(np.ones(16) / 16) - np.sqrt(q), distance)
    draws, squares, covered = 500, [], 0
    for _ in range(draws):
        reference = Histogram()
        reference.add(named(rng.multinomial(8_192, q)))
        cells = pair(reference, named(rng.multinomial(4_096, p)))
        found = estimate_distance(cells)
        squares.append(divergence(cells) - cells.df / (8 * cells.effective_shots))
        covered += found.low <= distance <= found.high
        assert 0 <= found.low <= found.high <= 1
    noise = np.std(squares) / np.sqrt(draws)
    # The last cell is empty here: half a degree of freedom too many, beside the Monte-Carlo error.
    assert np.mean(squares) == pytest.approx(distance**2, abs=4 * noise + 1 / (8 * 2730))
    low, _ = count_limits(draws, 0.95, 0.999)
    assert covered >= low


def test_the_interval_ends_are_where_the_noncentral_tails_have_the_stated_size() -> None:
    cells = Cells([900, 1_100, 2_096], [10_000, 11_000, 19_960], 4_096, 40_960)
    found = estimate_distance(cells, confidence=0.9)
    scale = 8 * cells.effective_shots
    statistic = scale * divergence(cells)
    assert stats.ncx2.sf(statistic, 2, scale * found.low**2) == pytest.approx(0.05, rel=1e-5)
    assert stats.ncx2.cdf(statistic, 2, scale * found.high**2) == pytest.approx(0.05, rel=1e-5)
    assert found.low < found.estimate < found.high


def test_equal_samples_give_zero_and_an_interval_from_zero() -> None:
    found = estimate_distance(Cells([500, 500], [500, 500], 1_000, 1_000))
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert found.floor > 0


def test_a_single_cell_or_an_impossible_confidence_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two cells"):
        estimate_distance(Cells([10], [10], 10, 10))
    with pytest.raises(ValueError, match="confidence"):
        estimate_distance(Cells([5, 5], [5, 5], 10, 10), confidence=1.0)
