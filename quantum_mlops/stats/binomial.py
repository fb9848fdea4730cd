"""The exact two-sided confidence interval of a binomial proportion, and the exact acceptance limits of a count.

Clopper & Pearson (1934, Biometrika 26:404). scipy is loaded at the first call only.
"""


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion that covers it with at least the stated confidence.

    Raises:
        ValueError: If not 0 <= successes <= trials, trials < 1, or the confidence is not strictly between 0 and 1.

    Examples:
        >>> low, high = clopper_pearson(0, 10)
        >>> low, round(high, 4)
        (0.0, 0.3085)
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - 0.2 s to load, and nothing per event needs it

    if not 0 <= successes <= trials or trials < 1 or not 0 < confidence < 1:
        msg = f"need 0 <= successes <= trials and a confidence in (0, 1), got {successes}, {trials}, {confidence}"
        raise ValueError(msg)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def count_limits(trials: int, probability: float, confidence: float = 0.99) -> tuple[int, int]:
    """Two-sided limits of a count: fewer than the first, or more than the second, each has at most half the rest.

    Answers "how many of `trials` runs may alarm if each does so with `probability`?".

    Raises:
        ValueError: If there are no trials or the probability or confidence is out of range.

    Examples:
        >>> count_limits(1000, 0.05, 0.999)
        (29, 74)
    """
    from scipy.special import bdtr  # noqa: PLC0415 - as above

    if trials < 1 or not 0 <= probability <= 1 or not 0 < confidence < 1:
        msg = f"need trials, a probability in [0, 1] and a confidence in (0, 1): {trials}, {probability}, {confidence}"
        raise ValueError(msg)
    tail = (1 - confidence) / 2

    def at_most(count: int) -> float:
        return float(bdtr(count, trials, probability)) if count < trials else 1.0

    def smallest(level: float) -> int:
        low, high = 0, trials
        while low < high:
            middle = (low + high) // 2
            if at_most(middle) >= level:
                high = middle
            else:
                low = middle + 1
        return low

    return smallest(tail), smallest(1 - tail)
