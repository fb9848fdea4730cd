"""Hellinger distance between measured histograms: as measured, its shot-noise floor, freed of bias, with an interval.

H^2 = 1 - sum sqrt(p q) = 1/2 sum (sqrt p - sqrt q)^2, H in [0, 1]. The root of a count has variance 1/4 whatever its
mean, so 8 m n / (m + n) times the measured H^2 is noncentral chi-square with one degree of freedom per cell less one,
and noncentrality 8 m n / (m + n) times the true H^2. Floor, correction and interval all follow from that one fact.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist

import msgspec

from quantum_mlops.stats.histogram import Cells, divergence, homogeneity
from quantum_mlops.stats.noncentral import tails

_RELATIVE = 1e-9
_FAR = 40.0
_STANDARD = NormalDist()


class Distance(msgspec.Struct, frozen=True):
    """A Hellinger distance with what is known of it.

    Attributes:
        estimate: Freed of the shot-noise bias; 0.0 if what was measured does not exceed the bias.
        low: Lower end of the two-sided confidence interval.
        high: Upper end.
        floor: What two samples of one distribution would show as measured, root mean square.
    """

    estimate: float
    low: float
    high: float
    floor: float


def hellinger_distance(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Hellinger distance of two histograms or distributions as they stand, each normalised by its own total.

    From counts this is biased upwards, H^2 by (K - 1)/8 (1/n + 1/m): use `estimate_distance` for measured counts.

    Raises:
        ValueError: If a side has no weight or a negative one.

    Examples:
        >>> hellinger_distance({"0": 1.0}, {"1": 3.0})
        1.0
        >>> round(hellinger_distance({"0": 0.5, "1": 0.5}, {"0": 0.6, "1": 0.4}), 5)
        0.07116
    """
    left_total, right_total = math.fsum(left.values()), math.fsum(right.values())
    if not (left_total > 0 and right_total > 0) or min(*left.values(), *right.values()) < 0:
        msg = "both histograms need a positive total and no negative count"
        raise ValueError(msg)
    squares = (
        (math.sqrt(left.get(key, 0) / left_total) - math.sqrt(right.get(key, 0) / right_total)) ** 2
        for key in left.keys() | right.keys()
    )
    return math.sqrt(min(1.0, math.fsum(squares) / 2))


def noise_floor(df: int, effective_shots: float) -> float:
    """Root mean square of the distance measured between two samples of one distribution.

    `effective_shots` is n m / (n + m), or n against an exact reference.

    Examples:
        >>> round(noise_floor(15, 4096), 4)
        0.0214
    """
    return math.sqrt(df / (8 * effective_shots))


def estimate_distance(cells: Cells, confidence: float = 0.95) -> Distance:
    """Hellinger distance between the distributions that the two samples were drawn from.

    The distance is that of the cells; merging can only make it smaller than that of all outcomes. The interval holds
    the noncentralities under which the statistic is in neither tail. It costs about two milliseconds: for a finding,
    not for every observation.

    Raises:
        ValueError: If `cells.df` is 0 or the confidence is not strictly between 0 and 1.

    Examples:
        >>> cells = Cells([600, 400], [500, 500], 1000, 1000)
        >>> found = estimate_distance(cells)
        >>> round(found.estimate, 4), round(found.low, 4), round(found.high, 4), round(found.floor, 4)
        (0.0694, 0.0402, 0.1021, 0.0158)
    """
    if cells.df < 1 or not 0 < confidence < 1:
        msg = f"need at least two cells and a confidence in (0, 1), got {len(cells.reference)} and {confidence!r}"
        raise ValueError(msg)
    statistic, scale = homogeneity(cells), 8 * cells.effective_shots
    tail = (1 - confidence) / 2
    low = _noncentrality(statistic, cells.df, 1 - tail)
    high = _noncentrality(statistic, cells.df, tail)
    return Distance(
        estimate=math.sqrt(max(0.0, divergence(cells) - cells.df / scale)),
        low=min(1.0, math.sqrt(low / scale)),
        high=min(1.0, math.sqrt(high / scale)),
        floor=noise_floor(cells.df, cells.effective_shots),
    )


def _noncentrality(statistic: float, df: int, below: float) -> float:
    """Noncentrality at which P(X <= statistic) is `below`; 0 if it is less already without any effect."""
    target = _STANDARD.inv_cdf(below)

    def excess(root: float) -> float:
        lower, upper = tails(statistic, df, root * root)
        if min(lower, upper) <= 0.0:
            return math.copysign(_FAR, lower - upper)
        return (_STANDARD.inv_cdf(lower) if lower < upper else -_STANDARD.inv_cdf(upper)) - target

    # The score is nearly linear in the root of the noncentrality, so that regula falsi needs few steps.
    low, high = 0.0, math.sqrt(statistic + 10.0)
    at_low, at_high = excess(low), excess(high)
    if at_low <= 0.0:
        return 0.0
    while at_high > 0.0:
        low, at_low = high, at_high
        high *= 2
        at_high = excess(high)
    middle, rising = high, False
    while True:
        last, middle = middle, (low * at_high - high * at_low) / (at_high - at_low)
        value = excess(middle)
        if value == 0.0 or abs(middle - last) <= _RELATIVE * middle:
            return middle * middle
        # Illinois: an end that stays twice counts half, or it might stay for ever (Dowell & Jarratt 1971, BIT 11:168).
        again, rising = rising is (value > 0.0), value > 0.0
        if rising:
            low, at_low, at_high = middle, value, at_high / 2 if again else at_high
        else:
            high, at_high, at_low = middle, value, at_low / 2 if again else at_low
