"""Pages of records that were fetched and not yet asked for, a page a partition."""

import time
from collections.abc import Sequence

from quantum_mlops.transports.kafka.fetch import Fetcher, Place, Raw


class Pages:
    """Serves sequential reading from the last page of each partition. On one loop."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._held: dict[Place, tuple[int, Sequence[Raw]]] = {}
        self._ends: dict[Place, tuple[int, float]] = {}

    async def take(self, place: Place, offset: int, limit: int, freshness_seconds: float) -> Sequence[Raw]:
        """Return up to `limit` records at or after `offset`; none at the end.

        The end may be known for up to `freshness_seconds`; with 0 the broker is asked.
        """
        position, records = self._held.pop(place, (0, ()))
        if not records or not position <= offset <= records[0].offset:
            end, seen = self._ends.get(place, (offset + 1, 0.0))
            if offset >= end and time.monotonic() - seen < freshness_seconds:
                return ()
            page = await self._fetcher.fetch(place, max(offset, 0))
            self._ends[place] = (page.end, time.monotonic())
            records = page.records
        if len(records) > limit:
            taken = records[:limit]
            self._held[place] = (taken[-1].offset + 1 if taken else offset, records[limit:])
            return taken
        return records
