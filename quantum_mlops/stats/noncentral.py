"""The noncentral chi-square distribution: both tails, a normal score that is exact far out, and quantiles.

It is the distribution of a chi-square statistic when the effect is not zero (Patnaik 1949, Biometrika 36:202), and so
the null of `minimum_effect`. Both tails are summed as the Poisson mixture of central tails, from the largest terms
outwards, in plain Python: one score costs tens of microseconds and needs neither numpy nor scipy.
"""

import math
import sys
from statistics import NormalDist

MAX_SCORE = 8.0
"""Scores are clipped to ±8: beyond it (p = 6e-16) a score says nothing that matters to a chart."""

_SERIES_LIMIT = 1e4
_CLEARLY_BEYOND = 12.0
_CLEARLY_BELOW = 0.5
"""Sankaran's score is never so much too low where it is negative; measured: at most 0.04 below the exact one."""
_NEGLIGIBLE = 1e-12
_RELATIVE = 1e-15
_STANDARD = NormalDist()


def tails(statistic: float, df: int, noncentrality: float) -> tuple[float, float]:
    """Probabilities below and above `statistic` under the noncentral chi-square distribution.

    Where statistic + noncentrality exceed 1e4 the normal approximation of Sankaran (1963, Biometrika 50:199) takes
    the place of the series; its error in the score is then at most 0.001 (measured up to 4095 degrees of freedom).

    Returns:
        (P(X <= statistic), P(X > statistic)). The smaller one is accurate to about 1e-10 relative (0.0 where it
        underflows); the larger is one minus it.

    Raises:
        ValueError: If the statistic or the noncentrality is negative or not finite, or there is no degree of freedom.

    Examples:
        >>> below, above = tails(130.0, 15, 82.0)
        >>> f"{below:.6f} {above:.6f}"
        '0.951387 0.048613'
    """
    _check(statistic, df, noncentrality)
    if statistic < sys.float_info.min * 2:
        return 0.0, 1.0
    if statistic + noncentrality > _SERIES_LIMIT:
        score = _power_score(statistic, df, noncentrality)
        return _STANDARD.cdf(score), _STANDARD.cdf(-score)
    if noncentrality < _NEGLIGIBLE:
        return lower_gamma(df / 2, statistic / 2), upper_gamma(df / 2, statistic / 2)
    if statistic > df + noncentrality:
        above = _upper(statistic / 2, df / 2, noncentrality / 2)
        return 1.0 - above, above
    below = _lower(statistic / 2, df / 2, noncentrality / 2)
    return below, 1.0 - below


def normal_score(statistic: float, df: int, noncentrality: float, floor: float = -MAX_SCORE) -> float:
    """Standard normal score with the same upper tail: z = Phi^-1(1 - p), p = P(X > statistic).

    The tail that is small is the one inverted, so no accuracy is lost far out. If the effect equals the null's,
    z is N(0, 1); if it is smaller, z is stochastically smaller, because the distribution increases in its
    noncentrality.

    Args:
        statistic: What was measured.
        df: Degrees of freedom.
        noncentrality: That of the null.
        floor: Scores below it are returned as it. Those that are clearly below cost a tenth of the others.

    Returns:
        The score, clipped to `floor` below and `MAX_SCORE` above.

    Raises:
        ValueError: As `tails`.

    Examples:
        >>> round(normal_score(130.0, 15, 82.0), 4), normal_score(60.0, 15, 82.0, floor=0.5)
        (1.6585, 0.5)
        >>> normal_score(15.0, 15, 8 * 4096 * 0.2**2)
        -8.0
    """
    _check(statistic, df, noncentrality)
    rough = _power_score(statistic, df, noncentrality)
    if rough < min(0.0, floor) - _CLEARLY_BELOW:
        return max(-MAX_SCORE, floor)
    if abs(rough) > _CLEARLY_BEYOND or statistic + noncentrality > _SERIES_LIMIT:
        return max(-MAX_SCORE, floor, min(MAX_SCORE, rough))
    below, above = tails(statistic, df, noncentrality)
    smaller = min(below, above)
    if smaller <= 0.0:
        return max(floor, math.copysign(MAX_SCORE, rough))
    score = _STANDARD.inv_cdf(smaller)
    return max(-MAX_SCORE, floor, min(MAX_SCORE, score if below < above else -score))


def quantile(probability: float, df: int, noncentrality: float) -> float:
    """Quantile by Sankaran's approximation: without iteration, and within 0.5 % for the upper tail.

    Raises:
        ValueError: If the probability does not lie strictly between 0 and 1, or as `tails`.

    Examples:
        >>> round(quantile(0.95, 15, 0.0), 2)  # the table says 25.00
        24.98
    """
    if not 0 < probability < 1:
        msg = f"probability must lie strictly between 0 and 1, got {probability!r}"
        raise ValueError(msg)
    _check(0.0, df, noncentrality)
    h, centre, deviation = _power_moments(df, noncentrality)
    root = centre + _STANDARD.inv_cdf(probability) * deviation
    return (df + noncentrality) * math.pow(max(0.0, root), 1 / h)


def _check(statistic: float, df: int, noncentrality: float) -> None:
    if not (0 <= statistic < math.inf and 0 <= noncentrality < math.inf and df >= 1):
        msg = f"need statistic >= 0, df >= 1, noncentrality >= 0, got {statistic!r}, {df!r}, {noncentrality!r}"
        raise ValueError(msg)


def _power_moments(df: int, noncentrality: float) -> tuple[float, float, float]:
    """Exponent h, mean and standard deviation of (X / E X)^h, which is nearly normal (Sankaran 1963)."""
    mean = df + noncentrality
    spread = df + 2 * noncentrality
    h = 1 - 2 * mean * (df + 3 * noncentrality) / (3 * spread * spread)
    p = spread / (mean * mean)
    m = (h - 1) * (1 - 3 * h)
    centre = 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p)
    return h, centre, h * math.sqrt(2 * p) * (1 + 0.5 * m * p)


def _power_score(statistic: float, df: int, noncentrality: float) -> float:
    h, centre, deviation = _power_moments(df, noncentrality)
    return (math.pow(statistic / (df + noncentrality), h) - centre) / deviation


def _largest_term(half: float, shape: float, rate: float) -> int:
    # Poisson(rate) weight times a tail of Gamma(shape + j) at `half` peaks where j (j + shape) = rate * half.
    return max(0, int((math.sqrt(shape * shape + 4 * rate * half) - shape) / 2))


def _weight(rate: float, count: int) -> float:
    return math.exp(count * math.log(rate) - rate - math.lgamma(count + 1))


def _density(half: float, shape: float) -> float:
    return math.exp(shape * math.log(half) - half - math.lgamma(shape + 1))


def _upper(half: float, shape: float, rate: float) -> float:
    """Sum of Poisson(rate; j) * Q(shape + j, half); Q grows by the recurrence Q(a + 1) = Q(a) + y^a e^-y / a!."""
    largest = _largest_term(half, shape, rate)
    first = max(0, largest - 8 - int(8.5 * math.sqrt(largest + 1)))
    weight = _weight(rate, first)
    a = shape + first
    tail, step = upper_gamma(a, half), _density(half, a)
    total, j = 0.0, first
    while True:
        term = weight * tail
        total += term
        if j > largest and term <= total * _RELATIVE:
            return min(1.0, total)
        tail += step
        a += 1.0
        step *= half / a
        j += 1
        weight *= rate / j


def _lower(half: float, shape: float, rate: float) -> float:
    """Sum of Poisson(rate; j) * P(shape + j, half), downwards: P(a) = P(a + 1) + y^a e^-y / a! loses no digits."""
    if rate * half < _NEGLIGIBLE:
        return math.exp(-rate) * lower_gamma(shape, half)
    largest = _largest_term(half, shape, rate)
    j = largest + 8 + int(8.5 * math.sqrt(largest + 1))
    weight = _weight(rate, j)
    a = shape + j
    tail, step = lower_gamma(a, half), _density(half, a)
    total = 0.0
    while True:
        term = weight * tail
        total += term
        if j == 0 or (j < largest and term <= total * _RELATIVE):
            return min(1.0, total)
        step *= a / half
        a -= 1.0
        tail += step
        weight *= j / rate
        j -= 1


def lower_gamma(shape: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(shape, x), by series (Abramowitz & Stegun 6.5.29).

    Examples:
        >>> round(lower_gamma(1.0, 2.0), 12) == round(1 - math.exp(-2.0), 12)
        True
    """
    if x > shape + 1:
        return 1.0 - upper_gamma(shape, x)
    term = total = 1.0
    a = shape
    while term > total * _RELATIVE:
        a += 1.0
        term *= x / a
        total += term
    return total * _density(x, shape)


def upper_gamma(shape: float, x: float) -> float:
    """Regularised upper incomplete gamma function Q(shape, x), by continued fraction (A. & S. 6.5.31, Lentz).

    Examples:
        >>> round(upper_gamma(1.0, 2.0) / math.exp(-2.0), 12)
        1.0
    """
    if x <= shape + 1:
        return 1.0 - lower_gamma(shape, x)
    b = x + 1.0 - shape
    c = math.inf
    d = fraction = 1.0 / b
    i = 0
    while True:
        i += 1
        an = -i * (i - shape)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        change = c * d
        fraction *= change
        if abs(change - 1.0) < _RELATIVE * 10:
            return fraction * _density(x, shape) * shape
