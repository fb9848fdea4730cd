"""Checkpoint rows in the compacted topic of states, read from the beginning to the end."""

import time
from collections.abc import Callable

from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Checkpoint
from quantum_mlops.transports.kafka.fetch import Fetcher
from quantum_mlops.transports.kafka.records import WATERMARK
from quantum_mlops.transports.kafka.topics import COMPACTED_READ_SECONDS

_PAGE_BYTES = 8 * 1024 * 1024


class StateReader:
    """Reads what the last committed transactions of a partition left.

    Open the owner's producer before reading: then nobody else can add to what was read.

    A row and the tombstone that deletes it may lie far apart. The broker removes a tombstone no sooner than
    `delete.retention.ms` after the row before it, so a reader that saw the row sees the tombstone too, if it is quicker
    than that; one that is not gives up. `clock` (seconds) is the wall's: it goes on while a machine sleeps.
    """

    def __init__(self, fetcher: Fetcher, topic: str, clock: Callable[[], float] = time.time) -> None:
        self._fetcher = fetcher
        self._topic = topic
        self._clock = clock
        self.records_read = 0
        self.bytes_read = 0

    async def read(self, partition: int) -> Checkpoint:
        """Return the watermark and the live rows; reads until the end that is there when it arrives.

        Raises:
            LogError: it took so long that tombstones may have gone meanwhile; read again.

        """
        began = self._clock()
        rows: dict[bytes, bytes] = {}
        watermark: bytes | None = None
        offset, end = 0, 1
        while offset < end:
            page = await self._fetcher.fetch((self._topic, partition), offset, _PAGE_BYTES)
            for record in page.records:
                key, value = record.key, record.value
                self.bytes_read += len(value or b"")
                if key == WATERMARK:
                    watermark = value
                elif key is None:
                    continue
                elif value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
            self.records_read += len(page.records)
            offset, end = page.next_offset, page.end
            if self._clock() - began > COMPACTED_READ_SECONDS:
                raise LogError(
                    f"partition {partition} of {self._topic} was not read within {COMPACTED_READ_SECONDS:g} s; "
                    "what was deleted meanwhile may have been missed: read it again"
                )
        return Checkpoint(watermark=watermark, rows=rows)
