"""A token bucket: a steady pace with short bursts."""


class TokenBucket:
    """Gives `rate` tokens a second, at most `burst` at once. The clock is the caller's, in nanoseconds.

    >>> bucket = TokenBucket(rate=1.0, burst=1, now=0)
    >>> bucket.take(0), bucket.take(0), bucket.take(1_000_000_000)
    (True, False, True)
    """

    def __init__(self, rate: float, burst: int, now: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._time = now

    def take(self, now: int) -> bool:
        """Take a token; False where there is none."""
        self._tokens = min(self._burst, self._tokens + max(0, now - self._time) * self._rate / 1e9)
        self._time = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
