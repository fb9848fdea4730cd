"""Older stores brought up to this version, with a copy of the old file kept beside them.

A migration is an SQL script from one version to the next. Before the first the whole file is copied to
`<name>.v<old>.backup`: who goes back to the older program is told that name.
"""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from quantum_mlops.errors import LogVersionError
from quantum_mlops.transports.sqlite_copy import copy_database


def upgrade(connection: sqlite3.Connection, path: Path, version: int, migrations: Mapping[int, str]) -> None:
    """Bring the file to `version`; does nothing where it is there already. Atomic; a crash repeats it.

    Raises:
        LogVersionError: the file is newer, or so old that no migration is left for it.
        LogError: the file is damaged.
        sqlite3.Error: the file cannot be copied or changed; it is as it was.

    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > version:
        raise LogVersionError(refusal(path, found, version))
    if found in (0, version):
        return
    if any(step not in migrations for step in range(found, version)):
        raise LogVersionError(f"{path}: store version {found} is too old for this program; upgrade in smaller steps")
    _keep_copy(connection, path, backup_path(path, found))
    for step in range(found, version):
        connection.executescript(f"BEGIN IMMEDIATE; {migrations[step]}; PRAGMA user_version = {step + 1}; COMMIT;")


def backup_path(path: Path, version: int) -> Path:
    """Return where the copy of a store of `version` lies.

    >>> backup_path(Path("/var/store.sqlite"), 1).name
    'store.sqlite.v1.backup'
    """
    return path.with_name(f"{path.name}.v{version}.backup")


def _keep_copy(connection: sqlite3.Connection, path: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}")
    draft.unlink(missing_ok=True)
    copy_database(connection, path, draft)
    os.replace(draft, target)  # noqa: PTH105 - pathlib's replace is the same call


def refusal(path: Path, found: int, version: int) -> str:
    """Say that a store is newer, and where the copy from before lies, if there is one."""
    text = f"{path}: written by a newer quantum-mlops (store version {found}, this one reads {version}); upgrade"
    copies = [backup_path(path, older) for older in range(version, 0, -1)]
    kept = next((copy for copy in copies if copy.is_file()), None)
    return text if kept is None else f"{text}, or go back to the copy made before that: {kept}"
