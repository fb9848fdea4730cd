"""A backup put back: staged beside the state first, then swapped in one go, the old state kept.

    stage: check the backup, copy it to `restore/` in the state folder     swap: old files aside, new files in

Whoever holds the log's lock swaps: the daemon between two of its lives, or the command where no daemon runs.
A crash in the middle leaves the staged copy, and the next start goes on with it.
"""

import os
import shutil
from pathlib import Path

from qml_daemon.operations.belongings import STATE, find_ours
from qml_daemon.operations.manifest import NAME, Manifest, read_manifest
from qml_daemon.places import OUTBOX, STORE
from quantum_mlops.clock import Clock
from quantum_mlops.errors import UserError
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.lockfile import LockFile

STAGED = "restore"
_DRAFT = ".restore"
_ASIDE = "before-restore-"


def stage(backup: Path, state_dir: Path) -> Manifest:
    """Check a backup and lay it ready in the state folder; nothing of the state changes yet.

    Raises:
        UserError: the backup is not whole, or another one is staged already.

    """
    manifest = read_manifest(backup)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (state_dir / STAGED).exists():
        raise UserError(f"{state_dir / STAGED}: another backup is being restored; let the daemon start, or remove it")
    draft = state_dir / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    for name in (*manifest.files, NAME):
        shutil.copy2(backup / name, draft / name)
    read_manifest(draft)
    draft.rename(state_dir / STAGED)
    return manifest


def is_staged(state_dir: Path) -> bool:
    """Return whether a backup waits to be swapped in."""
    return (state_dir / STAGED / NAME).is_file()


def swap(state_dir: Path, clock: Clock) -> Path:
    """Put the staged backup in the place of the state and return where the old state lies. The log must be closed.

    Raises:
        LogLockedError: a daemon has the log open.

    """
    lock = LockFile(state_dir / f"{STORE}.lock")
    try:
        aside = _find_aside(state_dir, clock)
        for path in find_ours(state_dir, STATE):
            if not path.name.endswith(".lock") and not (aside / path.name).exists():
                os.replace(path, aside / path.name)  # noqa: PTH105 - pathlib's replace is the same call
        # The log last: a start in the middle of this finds the staged folder and goes on.
        for name in (OUTBOX, STORE):
            staged = state_dir / STAGED / name
            if staged.is_file():
                shutil.copy2(staged, state_dir / name)
        shutil.rmtree(state_dir / STAGED)
    finally:
        lock.close()
    return aside


def _find_aside(state_dir: Path, clock: Clock) -> Path:
    """Return the folder of the old state; that of an interrupted swap is used again."""
    marker = state_dir / STAGED / "aside"
    if marker.is_file():
        return state_dir / marker.read_text()
    aside = state_dir / f"{_ASIDE}{format_time(clock())[:19].replace(':', '')}Z"
    aside.mkdir(mode=0o700)
    marker.write_text(aside.name)
    return aside
