"""What a service will never take, kept beside the spool with the reason: `<spool>/.shipping/rejected.jsonl`.

One JSON object a line: `time`, `reason`, `event` (as it was sent), or `bytes` (base64) of what was
damaged. At most 16 MiB, then only counted.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Raw

from quantum_mlops.shipping.position import SHIPPING
from quantum_mlops.timestamps import format_time

FILE = "rejected.jsonl"
CAP_BYTES = 16 * 1024 * 1024


class Rejects:
    """The dead-letter file of one spool; several processes may append to it."""

    def __init__(self, spool: Path, cap_bytes: int = CAP_BYTES) -> None:
        self.path = spool / SHIPPING / FILE
        self._cap = cap_bytes

    def keep(self, rejected: list[tuple[bytes, str]], now: int) -> int:
        """Append events (JSON) or damaged bytes, each with its reason; return how many found room.

        Raises:
            OSError: the file cannot be written.

        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        kept = 0
        try:
            size = os.fstat(file).st_size
            for data, reason in rejected:
                line = _line(data, reason, now)
                if size + len(line) > self._cap:
                    break
                size += os.write(file, line)
                kept += 1
        finally:
            os.close(file)
        return kept


def _line(data: bytes, reason: str, now: int) -> bytes:
    shown: dict[str, object] = {"time": format_time(now), "reason": reason[:1000]}
    try:
        msgspec.json.decode(data)
        whole = b"\n" not in data
    except (msgspec.DecodeError, RecursionError):
        whole = False
    shown["event" if whole else "bytes"] = Raw(data) if whole else data
    return msgspec.json.encode(shown) + b"\n"
