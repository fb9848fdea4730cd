"""The daemon that runs on a state folder: is there one, and a signal to it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from qml_daemon.places import STATUS, STORE
from qml_daemon.status import Status, read_status
from quantum_mlops.errors import LogLockedError, UserError
from quantum_mlops.transports.lockfile import LockFile

_LOOK_EVERY_SECONDS = 0.05


def find_daemon(state_dir: Path) -> int | None:
    """Return the pid of the process that holds the log's lock, None where nobody does."""
    if not (state_dir / f"{STORE}.lock").is_file():
        return None
    try:
        LockFile(state_dir / f"{STORE}.lock").close()
    except LogLockedError:
        return int((state_dir / f"{STORE}.lock").read_text().strip() or 0) or None
    return None


def signal_daemon(state_dir: Path) -> int | None:
    """Ask the daemon to look anew (SIGHUP) and return its pid; None where none runs.

    Raises:
        UserError: it is another user's.

    """
    pid = find_daemon(state_dir)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise UserError(f"the daemon (pid {pid}) belongs to another user; run this as that user or as root") from None
    return pid


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_SECONDS)
    return True


def current_status(state_dir: Path) -> Status | None:
    """Return what the daemon last wrote of itself."""
    return read_status(state_dir / STATUS)
