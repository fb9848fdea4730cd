"""Upper confidence bounds that assume nothing of a distribution's shape: of a quantile, and of a share.

A quantile is bounded by an order statistic (David & Nagaraja, *Order Statistics*, 3rd edition, 7.1), a share by the
binomial tail (Clopper & Pearson 1934, Biometrika 26:404). Pure Python: they run between events.
"""

import math
from functools import lru_cache


@lru_cache(maxsize=1024)
def quantile_rank(size: int, quantile: float, confidence: float) -> int | None:
    """Return the rank (from 1) of the order statistic that is at least the quantile with the confidence.

    None where even the greatest of `size` independent values is not.

    Examples:
        >>> quantile_rank(58, 0.95, 0.95), quantile_rank(59, 0.95, 0.95), quantile_rank(200, 0.95, 0.95)
        (None, 59, 196)
    """
    rank = size
    below = 1.0 - quantile**size if size else 0.0  # P(fewer than `rank` of the values lie below the quantile)
    if below < confidence:
        return None
    while rank > 1:
        less = below - _probability(size, rank - 1, quantile)
        if less < confidence:
            break
        below, rank = less, rank - 1
    return rank


def at_most(successes: int, trials: int, probability: float) -> float:
    """Return P(X <= successes) of a binomial X.

    Examples:
        >>> round(at_most(1, 10, 0.1), 4)
        0.7361
    """
    if successes >= trials:
        return 1.0
    odds = probability / (1 - probability)
    if successes > trials * probability:  # sum the shorter tail, whose terms shrink
        return 1.0 - _tail(trials, successes + 1, odds, _probability(trials, successes + 1, probability), up=True)
    return _tail(trials, successes, odds, _probability(trials, successes, probability), up=False)


def _tail(trials: int, start: int, odds: float, term: float, *, up: bool) -> float:
    total, k = term, start
    while term > total * 1e-17 and (k < trials if up else k > 0):
        term *= (trials - k) * odds / (k + 1) if up else k / ((trials - k + 1) * odds)
        total += term
        k += 1 if up else -1
    return total


def _probability(trials: int, successes: int, probability: float) -> float:
    logarithm = (
        math.lgamma(trials + 1)
        - math.lgamma(successes + 1)
        - math.lgamma(trials - successes + 1)
        + successes * math.log(probability)
        + (trials - successes) * math.log1p(-probability)
    )
    return math.exp(logarithm)
