"""A prediction interval for the sum of future totals, such as what the rest of a month will cost.

Source: Hahn & Meeker, *Statistical Intervals*, section 4.9 (the mean of m future observations); Student's quantile by
the expansion of Abramowitz & Stegun 26.7.5, good to four digits from 13 degrees of freedom on.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

LEAST_TOTALS = 14
"""Two weeks of days: fewer say nothing of a week's rhythm."""


class Prediction(Struct, frozen=True, gc=False):
    """What is expected, and the interval that holds it with the asked confidence."""

    expected: float
    low: float
    high: float


def predict_sum(totals: Sequence[float], ahead: int, confidence: float = 0.9) -> Prediction | None:
    """Predict the sum of the next `ahead` totals from past ones; None from fewer than 14.

    Student's interval: ahead * mean +- t s sqrt(ahead + ahead^2 / n), cut at 0 below. It supposes totals that are
    independent and alike; a weekly rhythm widens it, a trend it does not see.

    Raises:
        ValueError: a negative `ahead`, or a confidence outside (0, 1).

    Examples:
        >>> predict_sum([10.0, 12.0] * 3, 7) is None
        True
        >>> found = predict_sum([10.0, 12.0] * 10, 10)
        >>> round(found.expected), round(found.low, 1), round(found.high, 1)
        (110, 103.1, 116.9)

    """
    if ahead < 0 or not 0.0 < confidence < 1.0:
        raise ValueError(f"need ahead >= 0 and a confidence in (0, 1), got {ahead!r} and {confidence!r}")
    count = len(totals)
    if count < LEAST_TOTALS:
        return None
    mean = math.fsum(totals) / count
    deviation = math.sqrt(math.fsum((total - mean) ** 2 for total in totals) / (count - 1))
    expected = ahead * mean
    margin = student_quantile((1 + confidence) / 2, count - 1) * deviation * math.sqrt(ahead + ahead**2 / count)
    return Prediction(expected, max(0.0, expected - margin), expected + margin)


def student_quantile(probability: float, df: int) -> float:
    """Return the quantile of Student's t, to four digits for `df` of at least 13.

    >>> round(student_quantile(0.95, 13), 3), round(student_quantile(0.95, 60), 3)
    (1.771, 1.671)
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + terms[0] / df + terms[1] / df**2 + terms[2] / df**3
