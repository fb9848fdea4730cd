"""Writes a process's own segments: whole frames, one `write` a flush, sealed at 8 MiB, capped.

A short write (full disk, file size limit) is undone by `ftruncate`, so a segment never holds half a
frame of ours that still runs. No `fsync` but when a segment is sealed: what was written survives the
death of the process, not that of the machine.
"""

import contextlib
import errno
import os
import time
from pathlib import Path

import msgspec

from quantum_mlops.spool.frame import TARGET_PAYLOAD_BYTES, Kind, pack_frame, seed_of
from quantum_mlops.spool.segment import (
    LEASE_SECONDS,
    SEGMENT_BYTES,
    SUFFIX,
    SegmentHeader,
    SegmentName,
    SpoolClass,
    Writer,
)

CAP_BYTES = 256 * 1024 * 1024
BULK_SHARE = 0.875
_RECOUNT_SECONDS = 1.0


class SpoolFullError(OSError):
    """The segments in the folder reached their cap; the daemon has not taken them yet."""


class Segment:
    """One open segment file. Not thread-safe.

    Raises:
        OSError: the file cannot be made or written; it then holds whole frames only.

    """

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        self.path = path
        self._seed = seed_of(header.nonce)
        self.size = 0
        self.touched = time.monotonic()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._append(pack_frame(self._seed, Kind.HEADER, msgspec.msgpack.encode(header)))
        except OSError:
            self.abandon()
            path.unlink(missing_ok=True)
            raise

    def write(self, records: list[bytes]) -> None:
        """Append packed records in as many frames as they need, all of them or none."""
        frames: list[bytes] = []
        batch: list[bytes] = []
        size = 0
        for record in records:
            if size + len(record) > TARGET_PAYLOAD_BYTES and batch:
                frames.append(self._frame(batch))
                batch, size = [], 0
            batch.append(record)
            size += len(record)
        frames.append(self._frame(batch))
        self._append(b"".join(frames))

    def _frame(self, records: list[bytes]) -> bytes:
        array = b"\xdd" + len(records).to_bytes(4, "big")  # msgpack: array 32
        return pack_frame(self._seed, Kind.RECORDS, array + b"".join(records), len(records))

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._file, data)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        if written < len(data):
            os.ftruncate(self._file, self.size)
            raise OSError(errno.ENOSPC, "short write", str(self.path))
        self.size += written

    def renew_lease(self) -> None:
        """Say that the writer lives, at most every `LEASE_SECONDS`."""
        now = time.monotonic()
        if now - self.touched >= LEASE_SECONDS:
            self.touched = now
            os.utime(self._file)

    def is_removed(self) -> bool:
        """Return whether somebody deleted the file: what went there now would be lost."""
        return os.fstat(self._file).st_nlink == 0

    def seal(self) -> None:
        """Say that nothing follows, bring it to the disk and close."""
        try:
            self._append(pack_frame(self._seed, Kind.SEAL))
            os.fdatasync(self._file)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without a word to the reader; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class SpoolWriter:
    """Writes the segments of both classes into one folder. Not thread-safe.

    `cap_bytes` bounds what the segments of the folder hold on the disk at one time, those of other
    processes included; bulk data stops at seven eighths of it, so that it is lost before lifecycle
    events. What the reader has removed counts no longer. The others are counted when a segment begins,
    every `LEASE_SECONDS` and where the cap seems reached, not at every write: writers that reach the
    cap together may go over it by what they write between two counts.
    """

    def __init__(self, folder: Path, writer: Writer, *, cap_bytes: int = CAP_BYTES) -> None:
        self.folder = folder
        self._writer = writer
        self._cap = cap_bytes
        self._open: dict[SpoolClass, Segment] = {}
        self._done: dict[str, int] = {}
        self._others = 0
        self._number = 0
        self._counted = 0.0

    @property
    def size_bytes(self) -> int:
        """What this process's segments hold, as far as it knows."""
        return sum(self._done.values()) + sum(segment.size for segment in self._open.values())

    def write(self, spool_class: SpoolClass, records: list[bytes], created_time: int) -> None:
        """Append packed records, all of them or none.

        Raises:
            SpoolFullError: the cap is reached.
            OSError: the folder or the file cannot be written.

        """
        segment = self._open.get(spool_class)
        if segment is not None and segment.is_removed():
            self._open.pop(spool_class).abandon()
            segment = None
        limit = self._cap * BULK_SHARE if spool_class is SpoolClass.BULK else self._cap
        room = limit - sum(map(len, records))
        if segment is None or self.size_bytes + self._others > room:
            self._recount(_RECOUNT_SECONDS)
            if self.size_bytes + self._others > room:
                raise SpoolFullError(errno.EDQUOT, f"over {limit:.0f} bytes in the spool", str(self.folder))
        if segment is None:
            segment = self._start(spool_class, created_time)
        segment.write(records)
        if segment.size >= SEGMENT_BYTES:
            with contextlib.suppress(OSError):  # whole without its seal: the next number says that it is done
                self._finish(spool_class)

    def renew_leases(self) -> None:
        """Touch open segments whose lease is due, and count the folder as often."""
        for segment in self._open.values():
            segment.renew_lease()
        if self._open:
            self._recount(LEASE_SECONDS)

    def close(self) -> None:
        """Seal what is open; idempotent.

        Raises:
            OSError: a seal could not be written; the segment is whole without it.

        """
        for spool_class in list(self._open):
            self._finish(spool_class)

    def abandon(self) -> None:
        """Close the files of a parent process after a fork, without touching them."""
        for segment in self._open.values():
            segment.abandon()
        self._open.clear()

    def _start(self, spool_class: SpoolClass, created_time: int) -> Segment:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = self._number
        self._number += 1
        fields = msgspec.structs.asdict(self._writer)
        header = SegmentHeader(**fields, spool_class=spool_class, number=number, created_time=created_time)
        path = self.folder / str(SegmentName(self._writer.nonce, spool_class, number))
        segment = self._open[spool_class] = Segment(path, header)
        return segment

    def _finish(self, spool_class: SpoolClass) -> None:
        segment = self._open.pop(spool_class)
        self._done[segment.path.name] = segment.size
        segment.seal()

    def _recount(self, after_seconds: float) -> None:
        """Count what others hold, and forget what the reader took of ours, if the last count is that long ago."""
        now = time.monotonic()
        if self._counted and now - self._counted < after_seconds:
            return
        self._counted = now
        sizes: dict[str, int] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        with contextlib.suppress(FileNotFoundError):  # the reader was quicker
                            sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            pass  # no folder, no segments
        except OSError:
            return  # a folder that cannot be listed: the last count stays
        own = f"{self._writer.nonce}-"
        self._others = sum(size for name, size in sizes.items() if not name.startswith(own))
        self._done = {name: size for name, size in self._done.items() if name in sizes}
