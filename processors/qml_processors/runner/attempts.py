"""Attempts: how often the process ended uncleanly at one watermark.

The marker is written before the first batch after an open and forgotten by a clean close. At
`unclean_ends` the runner steps singly, marking each step before it tries it; when the process has
ended as often again at one marked step, that step is the killer and is given up. A kill from
outside looks the same, which is why one end at a marked step does not condemn it.
"""

import hashlib

import msgspec
from msgspec import Struct

from qml_processors.runner.runner_log import RunnerLog


class Attempt(Struct, frozen=True, array_like=True):
    """`ends` counts unclean ends at the watermark digested in `mark`."""

    mark: bytes
    ends: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Attempt).decode


class Attempts:
    """The attempt marker of one partition."""

    def __init__(self, log: RunnerLog, partition: int) -> None:
        self._log = log
        self._cursor = f"runner/attempt/{partition}"

    def ends(self, watermark: bytes | None) -> int:
        """Return how often the process ended uncleanly at this watermark."""
        stored = self._log.cursor(self._cursor)
        if stored is None:
            return 0
        attempt = _decode(stored)
        return attempt.ends if attempt.mark == digest(watermark) else 0

    def mark(self, watermark: bytes | None, ends: int) -> None:
        """Say, durably, that the step or batch after the watermark is tried now for the `ends`-th time."""
        self._log.move_cursors({self._cursor: _encode(Attempt(digest(watermark), ends))})

    def forget(self) -> None:
        """The process ends cleanly."""
        self._log.move_cursors({self._cursor: None})


def digest(watermark: bytes | None) -> bytes:
    """Return what stands for a watermark in the marker."""
    return hashlib.sha256(watermark or b"").digest()[:16]
