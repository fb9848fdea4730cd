"""How long to wait after a delivery that may succeed later."""

FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0


def delay_seconds(attempts: int, retry_after_seconds: float | None, random: float) -> float:
    """Return the seconds to wait after the `attempts`-th failure in a row; `random` is uniform in [0, 1).

    Exponential with half of it drawn at random, at most five minutes. What the receiver asked for is
    never undercut (up to an hour).

    >>> delay_seconds(1, None, 0.0), delay_seconds(4, None, 1.0), delay_seconds(1, 30.0, 0.0)
    (0.5, 8.0, 30.0)
    """
    wait = min(FIRST_SECONDS * 2.0 ** min(attempts - 1, 30), MOST_SECONDS) * (0.5 + random / 2)
    if retry_after_seconds is None:
        return wait
    return max(wait, min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS))
