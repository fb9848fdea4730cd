"""Everything that an installation wrote, so that removing it leaves nothing."""

import shutil
from pathlib import Path

from msgspec import Struct

from qml_daemon.operations.belongings import RESTORES, SPOOL, STATE, find_ours
from qml_daemon.places import STORE
from quantum_mlops.config.sections import Config
from quantum_mlops.transports.lockfile import LockFile

LOCK = f"{STORE}.lock"


class Found(Struct, frozen=True):
    """One file or folder that purge would remove, with its size."""

    path: str
    size_bytes: int


def find_written(config: Config) -> list[Found]:
    """Return what is ours in the state folder and the spool; the configuration is the user's own and stays."""
    ours = [*find_ours(config.state_dir, (*STATE, *RESTORES)), *find_ours(config.spool_dir, SPOOL)]
    return [Found(str(path), _size(path)) for path in dict.fromkeys(ours)]


def remove_written(config: Config) -> list[Found]:
    """Remove it, and the folders that are empty then; return what was removed.

    Raises:
        LogLockedError: a daemon runs here.
        OSError: something cannot be removed.

    """
    found = find_written(config)
    if config.state_dir.is_dir():
        lock = LockFile(config.state_dir / LOCK)
        try:
            _remove(found)
        finally:
            lock.close()
            (config.state_dir / LOCK).unlink(missing_ok=True)
    else:
        _remove(found)
    for folder in (config.spool_dir, config.state_dir):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return found


def _remove(found: list[Found]) -> None:
    for one in found:
        path = Path(one.path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file() or each.is_symlink())
