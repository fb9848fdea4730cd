"""What a client is called: the same at each start over a spool, and never the same for two at once.

A broker that hears a name twice ends the older connection. So what a dead process left half open is gone when the
next one comes; but two processes that ship from one folder take the first number that is free, held by a lock.
"""

import fcntl
import hashlib
import os
import secrets
from pathlib import Path

from quantum_mlops.shipping.position import SHIPPING

MOST = 1000


class ClientName:
    """`take` it before connecting; it is held until `release`. Without a folder each is a random one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._file = -1
        self._name = ""

    @property
    def is_stable(self) -> bool:
        """Whether the next start has it again; as of the last `take`."""
        return self._file >= 0

    def take(self) -> str:
        """Return the name; the same while it is held. A random one where the folder takes no lock."""
        if self._file >= 0:
            return self._name
        self._name = f"qml-{secrets.token_hex(8)}"
        if self._folder is not None:
            for number in range(MOST):
                try:
                    if self._hold(self._folder / SHIPPING / f"mqtt-{number}.lock"):
                        self._name = f"qml-{_digest(self._folder)}-{number}"
                        break
                except OSError:  # cannot be written, or knows no locks: who sends says what is wrong with the folder
                    break
        return self._name

    def release(self) -> None:
        """Let go of it; idempotent."""
        if self._file >= 0 and self._path is not None:
            self._path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the lock's file; in a forked child the parent's hold stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _hold(self, path: Path) -> bool:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            except OSError:
                os.close(file)
                raise
            if _is_still_there(path, file):
                self._path, self._file = path, file
                return True
            os.close(file)  # who held it removed it in between


def _is_still_there(path: Path, file: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _digest(folder: Path) -> str:
    whose = f"{os.uname().nodename}\n{os.path.realpath(folder)}"
    return hashlib.sha256(whose.encode("utf-8", "surrogateescape")).hexdigest()[:12]
