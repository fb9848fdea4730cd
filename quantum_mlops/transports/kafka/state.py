"""Checkpoint rows in the compacted topic of states, read from the beginning to the end."""

from quantum_mlops.transports.base import Checkpoint
from quantum_mlops.transports.kafka.fetch import Fetcher
from quantum_mlops.transports.kafka.records import WATERMARK

_PAGE_BYTES = 8 * 1024 * 1024


class StateReader:
    """Reads what the last committed transactions of a partition left.

    Open the owner's producer before reading: then nobody else can add to what was read.
    """

    def __init__(self, fetcher: Fetcher, topic: str) -> None:
        self._fetcher = fetcher
        self._topic = topic
        self.records_read = 0
        self.bytes_read = 0

    async def read(self, partition: int) -> Checkpoint:
        """Return the watermark and the live rows; reads until the end that is there when it arrives."""
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
        return Checkpoint(watermark=watermark, rows=rows)
