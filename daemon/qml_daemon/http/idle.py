"""Connections on which no request comes, or ever only a part of its head: they are closed.

Else they would hold every place there is, and nobody would need a token for that: uvicorn itself waits for a first
request, and for the rest of a head that began, for ever.

Source: CWE-400; "Slowloris".
"""

from collections.abc import Callable, Iterable
from typing import Any

import h11

HEAD_SECONDS = 30.0


class IdleConnections:
    """Knows how long each connection has waited for a whole head. For one event loop."""

    def __init__(self, monotonic: Callable[[], float], head_seconds: float = HEAD_SECONDS) -> None:
        self._monotonic = monotonic
        self._head_seconds = head_seconds
        self._waiting: dict[Any, tuple[float, object]] = {}

    def sweep(self, connections: Iterable[Any]) -> None:
        """Close those of uvicorn's h11 connections that have waited too long; to be called again and again."""
        now = self._monotonic()
        waiting = {}
        for one in list(connections):
            if one.conn.their_state is not h11.IDLE:
                continue
            since, request = self._waiting.get(one, (now, one.cycle))
            if request is not one.cycle:  # there was a request since the last look
                since = now
            if now - since > self._head_seconds:
                one.transport.close()
            else:
                waiting[one] = (since, one.cycle)
        self._waiting = waiting
