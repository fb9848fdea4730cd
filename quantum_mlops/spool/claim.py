"""One reader a spool: a lock on the folder itself, which the kernel takes back when its holder ends.

Two readers would each remove what the other has not read. A file system without such locks (some
network ones) lets everybody in.
"""

import fcntl
import os
from pathlib import Path


class SpoolClaim:
    """The claim to read and remove one folder's segments. Not thread-safe; makes no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = -1

    def __del__(self) -> None:
        self.release()

    def hold(self) -> bool:
        """Take it where it is free; return False where another reader has it. An absent folder is nobody's.

        Raises:
            OSError: the folder cannot be opened.

        """
        if self._file >= 0 and self._is_current():
            return True
        self.release()
        try:
            file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError:
            os.close(file)  # no locks here
            return True
        self._file = file
        return True

    def release(self) -> None:
        """Let go of it; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_current(self) -> bool:
        """Return whether the folder is still the one that was opened, and not a new one in its place."""
        held = os.fstat(self._file)
        try:
            now = self._folder.stat()
        except OSError:
            return False
        return (held.st_dev, held.st_ino) == (now.st_dev, now.st_ino)
