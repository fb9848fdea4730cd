"""A SQLite file copied as at one instant, whoever writes it meanwhile, and checked."""

import sqlite3
from pathlib import Path

from quantum_mlops.errors import LogError


def copy_database(source: sqlite3.Connection, path: Path, target: Path) -> None:
    """Copy the file at `path`, which `source` has open, to `target`, which only its owner may read.

    Raises:
        LogError: the copy is damaged, and so the file.
        sqlite3.Error: it cannot be read or written.

    """
    target.touch(mode=0o600)
    copy = sqlite3.connect(target)
    try:
        # In one step: between steps a writer would make the copy start anew.
        source.backup(copy, pages=-1)
        verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
    if verdict != "ok":
        raise LogError(f"{path}: the file is damaged ({verdict}); an older backup may be whole")
