"""Named positions in a compacted topic of one partition: the last value of a name is its position."""

import asyncio
import time
from collections.abc import Callable, Mapping

from quantum_mlops.transports.kafka.fetch import Fetcher
from quantum_mlops.transports.kafka.topics import COMPACTED_READ_SECONDS


class CursorTable:
    """The positions as of the last `refresh`, which reads only what is new. On one loop.

    After a long time without one it reads all anew, for a name's deletion may have come and gone (see `StateReader`);
    as it does where the topic was made anew. `clock` (seconds) is the wall's.
    """

    def __init__(self, fetcher: Fetcher, topic: str, clock: Callable[[], float] = time.time) -> None:
        self.place = (topic, 0)
        self._fetcher = fetcher
        self._offset = 0
        self._positions: dict[str, bytes] = {}
        self._lock = asyncio.Lock()
        self._clock = clock
        self._refreshed = clock()

    async def refresh(self) -> Mapping[str, bytes]:
        """Return all positions, as committed now."""
        async with self._lock:
            began = self._clock()
            if abs(began - self._refreshed) > COMPACTED_READ_SECONDS:
                self._forget()
            end = self._offset + 1
            while self._offset < end:
                page = await self._fetcher.fetch(self.place, self._offset)
                if page.next_offset < self._offset:  # another topic of that name
                    self._forget()
                    end = 1
                    continue
                for record in page.records:
                    name = (record.key or b"").decode("utf-8", "surrogatepass")
                    if record.value is None:
                        self._positions.pop(name, None)
                    else:
                        self._positions[name] = record.value
                self._offset, end = page.next_offset, page.end
            self._refreshed = began
            return dict(self._positions)

    def _forget(self) -> None:
        self._offset = 0
        self._positions.clear()
