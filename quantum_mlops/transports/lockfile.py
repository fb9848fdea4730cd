"""One writer across processes: an flock on a file beside the store, gone with the process that held it."""

import fcntl
import os
from pathlib import Path

from quantum_mlops.errors import LogLockedError


class LockFile:
    """Holds `path` locked until `close`; the file keeps the holder's pid for a person to read.

    Raises:
        LogLockedError: another open log holds it, in this process or another.

    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            self.close()
            raise LogLockedError(
                f"{path.with_suffix('')}: another process{f' (pid {holder})' if holder else ''} writes this log;"
                " stop it, or use another state directory"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let go; idempotent. The file stays: removing it would let two processes hold two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
