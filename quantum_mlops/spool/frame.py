"""Frames: the unit of a spool segment, whole or worthless.

    magic "QS" | version u8 | kind u8 | length u32 | crc32 u32 | records u32 | payload      (little-endian)

The checksum covers version, kind, length and number of records as well as the payload, and starts
from the `seed` of its segment: bytes inside somebody's data that look like a frame are none.
"""

import struct
import zlib
from enum import IntEnum

from msgspec import Struct

MAGIC = b"QS"
VERSION = 1
HEADER_BYTES = 16
TARGET_PAYLOAD_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
_SEARCH_BYTES = 64 * 1024 * 1024

_HEADER = struct.Struct("<2sBBIII")
_CHECKED = struct.Struct("<BBII")


class Kind(IntEnum):
    """What a frame's payload is."""

    HEADER = 0
    RECORDS = 1
    SEAL = 2


class Frame(Struct, frozen=True):
    """One intact frame and the position of the byte behind it."""

    kind: Kind
    records: int
    payload: bytes
    end: int


def seed_of(nonce: str) -> int:
    """Return the checksum seed of all segments of one process.

    >>> seed_of("0123456789ab")
    103008562
    """
    return zlib.crc32(nonce.encode())


def _checksum(seed: int, kind: int, records: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_CHECKED.pack(VERSION, kind, len(payload), records), seed))


def pack_frame(seed: int, kind: Kind, payload: bytes = b"", records: int = 0) -> bytes:
    """Return the bytes of one frame.

    Raises:
        ValueError: the payload is over `MAX_PAYLOAD_BYTES`.

    >>> read_frame(7, pack_frame(7, Kind.SEAL), 0)
    Frame(kind=<Kind.SEAL: 2>, records=0, payload=b'', end=16)

    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a frame holds at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    checksum = _checksum(seed, kind, records, payload)
    return _HEADER.pack(MAGIC, VERSION, kind, len(payload), checksum, records) + payload


def read_frame(seed: int, data: bytes, position: int) -> Frame | None:
    """Return the frame that starts at `position`, or None where no whole, intact frame does."""
    if len(data) - position < HEADER_BYTES:
        return None
    magic, version, kind, length, checksum, records = _HEADER.unpack_from(data, position)
    start = position + HEADER_BYTES
    if magic != MAGIC or version != VERSION or kind > Kind.SEAL or length > MAX_PAYLOAD_BYTES:
        return None
    if start + length > len(data):
        return None
    payload = data[start : start + length]
    if _checksum(seed, kind, records, payload) != checksum:
        return None
    return Frame(Kind(kind), records, payload, start + length)


def _claimed_bytes(data: bytes, position: int) -> int:
    """Return how many bytes were checksummed to refuse the frame at `position`."""
    length = int.from_bytes(data[position + 4 : position + 8], "little")
    return length if length <= MAX_PAYLOAD_BYTES and position + HEADER_BYTES + length <= len(data) else 0


def claimed_bytes(data: bytes) -> int:
    """Return how long the frame at the start of `data` says it is; 0 where its header is torn or wrong."""
    if len(data) < HEADER_BYTES:
        return 0
    magic, version, kind, length, _, _ = _HEADER.unpack_from(data)
    wrong = magic != MAGIC or version != VERSION or kind > Kind.SEAL or length > MAX_PAYLOAD_BYTES
    return 0 if wrong else HEADER_BYTES + int(length)


def find_frame(seed: int, data: bytes, position: int) -> int | None:
    """Return where the first intact frame at or after `position` starts, or None.

    Gives up after checking some 64 MiB of what claims to be frames: only bytes made for it take longer.
    """
    budget = _SEARCH_BYTES
    while budget > 0 and (position := data.find(MAGIC, position)) >= 0:
        if read_frame(seed, data, position) is not None:
            return position
        budget -= _claimed_bytes(data, position)
        position += 1
    return None
