"""Attempts: how often the process ended uncleanly at one watermark.

The marker is written before the first batch after an open and forgotten by a clean close. At
`unclean_ends` the runner steps singly, marking each step before it tries it; a process that ends
again at a marked step has found its killer, which is then given up.
"""

import hashlib

import msgspec
from msgspec import Struct

from quantum_mlops.transports.base import Log


class Attempt(Struct, frozen=True, array_like=True):
    """`ends` counts unclean ends at the watermark digested in `mark`; `single`: one step was tried."""

    mark: bytes
    ends: int
    single: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Attempt).decode


class Attempts:
    """The attempt marker of one partition."""

    def __init__(self, log: Log, partition: int) -> None:
        self._log = log
        self._cursor = f"runner/attempt/{partition}"

    def previous(self, watermark: bytes | None) -> Attempt:
        """Return what was tried at this watermark before and did not end well."""
        mark = digest(watermark)
        stored = self._log.cursor(self._cursor)
        if stored is None:
            return Attempt(mark, 0, single=False)
        attempt = _decode(stored)
        return attempt if attempt.mark == mark else Attempt(mark, 0, single=False)

    def mark(self, watermark: bytes | None, ends: int, *, single: bool) -> None:
        """Say, durably, that the step or batch after the watermark is tried now."""
        self._log.move_cursors({self._cursor: _encode(Attempt(digest(watermark), ends, single))})

    def forget(self) -> None:
        """The process ends cleanly."""
        self._log.move_cursors({self._cursor: None})


def digest(watermark: bytes | None) -> bytes:
    """Return what stands for a watermark in the marker."""
    return hashlib.sha256(watermark or b"").digest()[:16]
