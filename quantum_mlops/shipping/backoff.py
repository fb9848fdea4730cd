"""How long to wait before trying again: doubling from half a second to a minute, with jitter."""

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 60.0
_MOST_DOUBLINGS = 10


def delay_seconds(attempts: int, chance: float, retry_after_seconds: float | None = None) -> float:
    """Return the wait after `attempts` failures in a row (at least 1); `chance` is from [0, 1).

    Between half and all of the doubled time, so that many senders do not come back together; never
    less than the service asked for, whose own figure is spread by up to a tenth.

    >>> [delay_seconds(attempts, 0.0) for attempts in (1, 2, 3, 50)]
    [0.25, 0.5, 1.0, 30.0]
    >>> delay_seconds(1, 0.5, retry_after_seconds=20.0)
    21.0
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS))
    wait = longest * (0.5 + 0.5 * chance)
    return wait if retry_after_seconds is None else max(wait, retry_after_seconds * (1 + 0.1 * chance))
