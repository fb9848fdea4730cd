"""One segment as the intake follows it: how far the log has it, and what is known of its writer."""

from pathlib import Path

import msgspec
from msgspec import Struct

from qml_daemon.intake.adoption import Lease
from quantum_mlops.errors import LogError
from quantum_mlops.spool.reader import Chunk, SegmentReader
from quantum_mlops.spool.segment import SegmentHeader, SegmentName, SpoolClass


class SegmentCursor(Struct, frozen=True, array_like=True):
    """What the log has of a segment: all bytes before `position`; `done` where nothing follows."""

    position: int = 0
    done: bool = False

    def pack(self) -> bytes:
        """Return the bytes kept in the log's cursors."""
        return msgspec.msgpack.encode(self)


class FollowedSegment:
    """A segment being read. Its file is open only while there is something to read."""

    def __init__(self, path: Path, name: SegmentName, lease: Lease, cursor: SegmentCursor) -> None:
        self.path = path
        self.name = name
        self.lease = lease
        self.cursor = cursor
        self.size = 0
        self.header: SegmentHeader | None = None
        self._reader: SegmentReader | None = None
        self._fruitless: tuple[int, int] | None = None

    @property
    def writer(self) -> tuple[str, SpoolClass]:
        """Who numbers it: segments of one writer follow each other."""
        return (self.name.nonce, self.name.spool_class)

    @property
    def lag_bytes(self) -> int:
        """How many bytes the log does not have yet."""
        return 0 if self.cursor.done else max(0, self.size - self.cursor.position)

    def identify(self) -> SegmentHeader | None:
        """Return who writes it, None where the file does not tell. Raises OSError where it cannot be read."""
        if self.header is None and self.size:
            self.header = self._open().header
        return self.header

    def read(self, position: int, max_bytes: int, *, final: bool) -> Chunk | None:
        """Return what lies at `position`, None where there is nothing new. Raises OSError where it cannot be read."""
        if not final and (self.size <= position or self._fruitless == (position, self.size)):
            return None
        chunk = self._open().read(position, max_bytes, final=final)
        # A frame that is not whole yet is looked at again when the file has grown.
        self._fruitless = (position, self.size) if chunk.position == position else None
        return chunk

    def close(self) -> None:
        """Release the file; idempotent."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> SegmentReader:
        if self._reader is None:
            self._reader = SegmentReader(self.path)
        return self._reader


def unpack_cursor(data: bytes) -> SegmentCursor:
    """Return the cursor in `data`.

    Raises:
        LogError: no cursor of this version.

    """
    try:
        return msgspec.msgpack.decode(data, type=SegmentCursor)
    except msgspec.DecodeError as error:
        raise LogError(f"the log holds no position in a spool segment but {data[:40]!r}") from error
