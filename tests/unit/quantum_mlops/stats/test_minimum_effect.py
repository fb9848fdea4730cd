"""The promise: at most the declared false alarms while H <= H0, by Monte-Carlo from exact distributions."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from quantum_mlops.stats import (
    Cells,
    Cusum,
    Histogram,
    chi_square,
    count_limits,
    divergence,
    normal_score,
    null_noncentrality,
    pair,
    parse_rate,
    score,
    threshold,
    update,
)

Vector = NDArray[np.float64]
Move = Callable[[Vector, Vector, float], Vector]
Named = Callable[[Vector], dict[str, int]]

SHOTS = 4096
MINIMUM_EFFECT = 0.05
RATE = 1e-4
FREEZE_AT = 500


def directions(q: Vector) -> dict[str, Vector]:
    """Ways to change: towards noise, a rare outcome grows, a frequent one shrinks, at random."""
    unit = np.eye(16)
    return {
        "noise": np.sqrt(np.ones(16) / 16) - np.sqrt(q),
        "rare grows": unit[int(np.argmin(q))],
        "frequent shrinks": -unit[int(np.argmax(q))],
        "random": np.random.default_rng(8).standard_normal(16) * np.sqrt(q),
    }


def scores(x: NDArray[np.int64], reference: Histogram, named: Named) -> Vector:
    """`score` of many observations at once: the cells of `pair`, its statistic, `normal_score` on a fine grid."""
    cells = pair(reference, named(x[0]))
    keys = [format(outcome, "04b") for outcome in range(16)]
    own = [keys.index(outcome) for outcome, count in zip(reference.outcomes, reference.counts, strict=True)
           if count in cells.reference[:-1]]  # fmt: skip
    assert len(own) == cells.df
    left = np.column_stack((x[:, own], SHOTS - x[:, own].sum(axis=1)))
    roots = np.sqrt((left + 0.25) / SHOTS) - np.sqrt((np.array(cells.reference) + 0.25) / cells.reference_shots)
    statistic = 4 * SHOTS * (roots**2).sum(axis=1)
    null = null_noncentrality(SHOTS, cells.reference_shots, cells.df, MINIMUM_EFFECT)
    grid = np.linspace(statistic.min(), statistic.max(), 300)
    z = np.interp(statistic, grid, [normal_score(float(value), cells.df, null) for value in grid])
    for row in (0, len(x) // 2, len(x) - 1):
        assert z[row] == pytest.approx(score(pair(reference, named(x[row])), MINIMUM_EFFECT), abs=2e-3)
    return z


def alarms(z: Vector) -> int:
    """How often a chart alarms that starts again after every alarm."""
    limit = threshold(parse_rate("1 per 10000 observations"))
    arm, count = 0.0, 0
    for value in z.tolist():
        arm = max(0.0, arm + value - 0.5)
        if arm > limit:
            arm, count = 0.0, count + 1
    return count


@pytest.mark.parametrize("base", ["hanoi", "ghz"])
def test_at_the_boundary_an_exact_reference_gives_the_declared_rate(
    bases: Mapping[str, Vector], at_distance: Move, pooled, named: Named, base: str
) -> None:
    q = bases[base]
    reference = pooled(np.rint(q * 1e12))
    rng = np.random.default_rng(101)
    found, observations = 0, 0
    for direction in directions(q).values():
        z = scores(rng.multinomial(SHOTS, at_distance(q, direction, MINIMUM_EFFECT), size=80_000), reference, named)
        found, observations = found + alarms(z), observations + len(z)
        assert np.mean(z) == pytest.approx(0.0, abs=0.05)
        assert np.std(z) == pytest.approx(1.0, abs=0.03)
    low, high = count_limits(observations, RATE, 0.99)
    assert low <= found <= high


@pytest.mark.parametrize("samples", [1, 5, 20, 100, 500])
def test_at_the_boundary_a_measured_reference_never_exceeds_the_declared_rate(
    bases: Mapping[str, Vector], at_distance: Move, pooled, named: Named, samples: int
) -> None:
    rng = np.random.default_rng(102 + samples)
    found, observations, means = 0, 0, []
    for q in (bases["hanoi"], bases["ghz"]):
        for direction in directions(q).values():
            p = at_distance(q, direction, MINIMUM_EFFECT)
            for _ in range(10):
                reference = pooled(rng.multinomial(samples * SHOTS, q))
                z = scores(rng.multinomial(SHOTS, p, size=1_250), reference, named)
                found, observations = found + alarms(z), observations + len(z)
                means.append(np.mean(z))
    assert found <= count_limits(observations, RATE, 0.99)[1]
    # Not by blindness: the price of a measured reference is about 3.1 sqrt(1 / samples) standard deviations.
    assert np.mean(means) == pytest.approx(-3.1 / np.sqrt(samples), rel=0.2, abs=0.05)


def test_without_change_the_growing_reference_never_alarms(bases: Mapping[str, Vector], named: Named) -> None:
    rng = np.random.default_rng(103)
    reference, chart = Histogram(), Cusum()
    limit = threshold(1e4)
    reference.add(named(rng.multinomial(SHOTS, bases["hanoi"])))
    for x in rng.multinomial(SHOTS, bases["hanoi"], size=3_000):
        assert update(chart, score(pair(reference, named(x)), MINIMUM_EFFECT)) <= limit
        if reference.samples < FREEZE_AT:
            reference.add(named(x))
    assert chart.upper == 0.0


def test_a_step_to_the_boundary_while_the_reference_grows_or_is_frozen_stays_within_the_rate(
    bases: Mapping[str, Vector], at_distance: Move, named: Named
) -> None:
    rng = np.random.default_rng(104)
    limit, q = threshold(1e4), bases["hanoi"]
    p = at_distance(q, directions(q)["noise"], MINIMUM_EFFECT)
    opened = observations = 0
    for run in range(40):
        reference, chart, is_open = Histogram(), Cusum(), False
        for sample in rng.multinomial(SHOTS, q, size=(5, 20, 100, FREEZE_AT)[run % 4]):
            reference.add(named(sample))
        for x in rng.multinomial(SHOTS, p, size=500):
            observations += 1
            if update(chart, score(pair(reference, named(x)), MINIMUM_EFFECT)) > limit:
                opened, chart, is_open = opened + 1, Cusum(), True
            if not is_open and reference.samples < FREEZE_AT:
                reference.add(named(x))
    assert opened <= count_limits(observations, RATE, 0.99)[1]


def canaries_until_alarm(before: Vector, after: Vector, named: Named, rng: np.random.Generator) -> int | None:
    limit = threshold(1e4)
    reference, chart = Histogram(), Cusum()
    for sample in rng.multinomial(SHOTS, before, size=100):
        reference.add(named(sample))
    for number, x in enumerate(rng.multinomial(SHOTS, after, size=20), start=1):
        if update(chart, score(pair(reference, named(x)), MINIMUM_EFFECT)) > limit:
            return number
    return None


def test_the_recorded_incident_is_found_within_five_canaries_and_mostly_within_two(
    hanoi: Mapping[str, Vector], named: Named
) -> None:
    rng = np.random.default_rng(105)
    delays = [canaries_until_alarm(hanoi["before"], hanoi["worse"], named, rng) or 99 for _ in range(100)]
    assert max(delays) <= 5
    assert np.median(delays) <= 2


def test_quiet_qubits_over_the_same_dates_stay_silent(hanoi: Mapping[str, Vector], named: Named) -> None:
    rng = np.random.default_rng(106)
    for _ in range(40):
        assert canaries_until_alarm(hanoi["quiet before"], hanoi["quiet after"], named, rng) is None


def test_the_verdict_does_not_depend_on_the_number_of_shots(bases: Mapping[str, Vector], at_distance: Move) -> None:
    q = bases["hanoi"]
    for distance, sign in ((0.03, -1), (0.08, 1)):
        p = at_distance(q, directions(q)["noise"], distance)
        z = [
            score(Cells([*(int(n * v) for v in p), 0], [*(int(1e9 * v) for v in q), 0], n, 10**9), MINIMUM_EFFECT)
            * sign
            for n in (1_024, 4_096, 65_536, 1_000_000)
        ]
        assert z[0] > 0
        assert z == sorted(z)


def test_pearson_would_break_the_promise_where_a_rare_outcome_grows(
    bases: Mapping[str, Vector], at_distance: Move
) -> None:
    # The reason for the variance-stabilised form: same null, same distance, other direction.
    q = bases["hanoi"]
    p = at_distance(q, directions(q)["rare grows"], MINIMUM_EFFECT)
    rng = np.random.default_rng(106)
    reference = [*(int(1e8 * v) for v in q), 0]
    pearson, stabilised = [], []
    for x in rng.multinomial(SHOTS, p, size=300):
        cells = Cells([*map(int, x), 0], reference, SHOTS, sum(reference))
        null = 8 * SHOTS * MINIMUM_EFFECT**2
        pearson.append(normal_score(chi_square(cells)[0], 15, null))
        stabilised.append(normal_score(8 * SHOTS * divergence(cells), 15, null))
    assert np.mean(pearson) > 2.0
    assert np.mean(stabilised) == pytest.approx(0.0, abs=0.25)


def test_the_null_is_the_upper_limit_of_the_distance_to_a_measured_reference() -> None:
    for samples in (1, 20, 500):
        shots = samples * SHOTS
        exact = stats.ncx2.ppf(0.999, 15, 8 * shots * MINIMUM_EFFECT**2) / samples
        assert null_noncentrality(SHOTS, shots, 15, MINIMUM_EFFECT) == pytest.approx(exact, rel=1e-3)
    assert null_noncentrality(SHOTS, 10**12, 15, MINIMUM_EFFECT) == pytest.approx(8 * SHOTS * 0.0025, rel=1e-3)


def test_impossible_nulls_are_refused() -> None:
    with pytest.raises(ValueError, match="shots must be at least 1"):
        null_noncentrality(0, 10, 1, 0.05)
    with pytest.raises(ValueError, match="minimum effect must be a Hellinger distance"):
        null_noncentrality(10, 10, 1, 1.5)
    with pytest.raises(ValueError, match="df >= 1"):
        score(Cells([10], [10], 10, 10), 0.05)
