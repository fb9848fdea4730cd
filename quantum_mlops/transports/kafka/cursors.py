"""Named positions in a compacted topic of one partition: the last value of a name is its position."""

import asyncio
from collections.abc import Mapping

from quantum_mlops.transports.kafka.fetch import Fetcher


class CursorTable:
    """The positions as of the last `refresh`, which reads only what is new. On one loop."""

    def __init__(self, fetcher: Fetcher, topic: str) -> None:
        self.place = (topic, 0)
        self._fetcher = fetcher
        self._offset = 0
        self._positions: dict[str, bytes] = {}
        self._lock = asyncio.Lock()

    async def refresh(self) -> Mapping[str, bytes]:
        """Return all positions, as committed now."""
        async with self._lock:
            end = self._offset + 1
            while self._offset < end:
                page = await self._fetcher.fetch(self.place, self._offset)
                for record in page.records:
                    name = (record.key or b"").decode("utf-8", "surrogatepass")
                    if record.value is None:
                        self._positions.pop(name, None)
                    else:
                        self._positions[name] = record.value
                self._offset, end = page.next_offset, page.end
            return dict(self._positions)
