"""What a token may send: a steady pace with short bursts, counted in events."""

import time
from collections.abc import Callable

from qml_daemon.http.token_file import Token

BURST_SECONDS = 2.0


class Rates:
    """One budget a token's name. A request may overdraw it; the next ones wait until that is paid. One thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._budgets: dict[str, tuple[float, float]] = {}

    def charge(self, token: Token, count: int) -> float:
        """Take `count` events from the token's budget and return 0.0, or the seconds to wait before any are left."""
        now = self._monotonic()
        most = BURST_SECONDS * token.events_per_second
        left, at = self._budgets.get(token.name, (most, now))
        left = min(most, left + (now - at) * token.events_per_second)
        if left <= 0.0:
            self._budgets[token.name] = (left, now)
            return max(1.0 - left, 1.0) / token.events_per_second
        self._budgets[token.name] = (left - count, now)
        return 0.0
