"""Reads segments back into events, from any byte position, whatever happened to the file.

A torn tail is a writer in the middle of a frame until that writer is gone (`final=True`). Damage in
the middle is skipped to the next intact frame and returned with its reason. Nothing here raises on
content; a segment that cannot be opened or read raises `OSError`.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from quantum_mlops.events import DATA_TYPES, Event, UnknownData
from quantum_mlops.spool.frame import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Frame,
    Kind,
    claimed_bytes,
    find_frame,
    read_frame,
    seed_of,
)
from quantum_mlops.spool.nonfinite import holds_nonfinite, may_hold_nonfinite
from quantum_mlops.spool.segment import SUFFIX, NamedRecord, SegmentHeader, parse_name

MAX_BROKEN_BYTES = 64 * 1024
_LONGEST_FRAME = MAX_PAYLOAD_BYTES + HEADER_BYTES
_WINDOW_BYTES = 4 * _LONGEST_FRAME

_decode_records = msgspec.msgpack.Decoder(list[NamedRecord]).decode
_decode_raws = msgspec.msgpack.Decoder(list[Raw]).decode
_decode_record = msgspec.msgpack.Decoder(NamedRecord).decode
_decode_header = msgspec.msgpack.Decoder(SegmentHeader).decode
_decode_any = msgspec.msgpack.Decoder().decode
_decode_data = {name: msgspec.msgpack.Decoder(data).decode for name, data in DATA_TYPES.items()}
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError, OverflowError, TypeError, NotImplementedError)


class Chunk(Struct, frozen=True):
    """What one `read` found.

    `position` is where the next read goes on; `sealed` says that nothing will follow it. `broken`
    holds damaged bytes (cut to 64 KiB) and undecodable records, each with its reason.
    """

    events: list[Event]
    broken: list[tuple[bytes, str]]
    position: int
    sealed: bool


class SegmentReader:
    """Reads one segment. Not thread-safe; `close` releases the file.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file's name is not that of a segment.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        name = parse_name(self.path.name)
        if name is None:
            raise ValueError(f"no spool segment: {self.path.name}")
        self.name = name
        self._seed = seed_of(name.nonce)
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._header: SegmentHeader | None = None
        self._sources: dict[int, str] = {}

    @property
    def header(self) -> SegmentHeader | None:
        """Who writes this segment; None while the header is not there, or damaged."""
        if self._header is None:
            frame = read_frame(self._seed, os.pread(self._file, 4096, 0), 0)
            if frame is not None and frame.kind is Kind.HEADER:
                try:
                    self._header = _decode_header(frame.payload)
                except _ERRORS:
                    return None  # `read` meets the same frame and reports it
        return self._header

    def read(self, position: int, max_bytes: int, *, final: bool = False) -> Chunk:
        """Return the events in about `max_bytes` from `position` on, and at least one frame where one is whole.

        `final` says that the writer is surely gone (or went on to its next segment), so that a torn
        tail is damage and not work in progress.
        """
        max_bytes = max(max_bytes, HEADER_BYTES)
        data = os.pread(self._file, max_bytes, position)
        if (longer := claimed_bytes(data)) > len(data) == max_bytes:
            data = os.pread(self._file, longer, position)
        events: list[Event] = []
        broken: list[tuple[bytes, str]] = []
        at = 0
        while (frame := read_frame(self._seed, data, at)) is not None:
            at = frame.end
            if frame.kind is Kind.SEAL:
                return Chunk(events, broken, position + at, sealed=True)
            self._take(frame, events, broken)
        if at:
            return Chunk(events, broken, position + at, sealed=False)
        return self._read_odd(position, final=final)

    def _read_odd(self, position: int, *, final: bool) -> Chunk:
        """Go on where no whole frame starts: a torn one, or damage."""
        data = os.pread(self._file, _WINDOW_BYTES, position)
        skipped = find_frame(self._seed, data, 0)
        if skipped is None and len(data) == _WINDOW_BYTES:
            skipped = len(data) - _LONGEST_FRAME
        if skipped is None and final:
            skipped = len(data)
        if not skipped:
            return Chunk([], [], position, sealed=False)
        reason = f"{skipped} damaged bytes at position {position} of {self.path.name}"
        return Chunk([], [(data[: min(skipped, MAX_BROKEN_BYTES)], reason)], position + skipped, sealed=False)

    def close(self) -> None:
        """Release the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, frame: Frame, events: list[Event], broken: list[tuple[bytes, str]]) -> None:
        if frame.kind is not Kind.RECORDS:
            if frame.kind is Kind.HEADER and self.header is None:
                broken.append((frame.payload[:MAX_BROKEN_BYTES], f"unreadable header of {self.path.name}"))
            return
        if not may_hold_nonfinite(frame.payload):
            try:
                events += [self._event(record) for record in _decode_records(frame.payload)]
            except _ERRORS:
                pass  # one of them is wrong: find out which, below
            else:
                return
        self._take_singly(frame, events, broken)

    def _take_singly(self, frame: Frame, events: list[Event], broken: list[tuple[bytes, str]]) -> None:
        try:
            raws = _decode_raws(frame.payload)
        except _ERRORS as error:
            broken.append((frame.payload[:MAX_BROKEN_BYTES], f"undecodable frame: {error}"))
            return
        for raw in raws:
            data = bytes(raw)
            try:
                record = _decode_record(data)
                if holds_nonfinite(bytes(record.data)):
                    broken.append((data, f"{record.type}: a number that is not finite"))
                else:
                    events.append(self._event(record))
            except _ERRORS as error:
                broken.append((data[:MAX_BROKEN_BYTES], f"undecodable record: {str(error)[:500]}"))

    def _event(self, record: NamedRecord) -> Event:
        decode = _decode_data.get(record.type)
        return Event(
            id=record.id or f"{record.sequence:016x}",
            source=record.source or self._sources.get(record.stream) or self._source(record.stream),
            type=record.type,
            time=record.time,
            partitionkey=record.partitionkey,
            project=record.project,
            context=record.context,
            data=UnknownData(Raw(msgspec.json.encode(_decode_any(record.data))))
            if decode is None
            else decode(record.data),
        )

    def _source(self, stream: int) -> str:
        header = self.header
        source = f"qml://{'unknown' if header is None else header.host}/{self.name.nonce}/{stream}"
        self._sources[stream] = source
        return source


def _unknown(data: Raw) -> UnknownData:
    return UnknownData(Raw(msgspec.json.encode(_decode_any(data))))


def read_folder(folder: str | os.PathLike[str]) -> list[Event]:
    """Return all events in a spool whose writers are done, class by class, in the order they were written.

    For tests and tools: it holds everything in memory and leaves damage out.
    """
    events: list[Event] = []
    for path in sorted(Path(folder).glob(f"*{SUFFIX}")):
        reader = SegmentReader(path)
        try:
            position, chunk = -1, reader.read(0, _WINDOW_BYTES, final=True)
            while chunk.position > position:
                events += chunk.events
                position = chunk.position
                chunk = reader.read(position, _WINDOW_BYTES, final=True)
        finally:
            reader.close()
    return events
