"""A copy of an installation's state while the daemon works, each file as at one instant.

The outbox is copied before the log: what it has read is then surely in the log's copy. After a restore
the dispatcher reads a few findings again and knows them by their ids, instead of missing some.
"""

import shutil
import sqlite3
from pathlib import Path
from urllib.parse import quote

from qml_daemon.operations.manifest import FORMAT, BackedUpFile, Manifest, describe_file, write_manifest
from qml_daemon.places import OUTBOX, STORE
from quantum_mlops.clock import Clock
from quantum_mlops.errors import UserError
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.schema import log_error
from quantum_mlops.transports.sqlite import SqliteLog
from quantum_mlops.transports.sqlite_copy import copy_database
from quantum_mlops.version import __version__

ORDER = (OUTBOX, STORE)
_SPARE_BYTES = 64 * 1024 * 1024


def back_up(state_dir: Path, destination: Path, clock: Clock) -> tuple[Path, Manifest]:
    """Copy log and outbox into a new folder of `destination` and return it. Blocks; the daemon goes on meanwhile.

    The copy reads the files and writes nothing to them. A copy that fails leaves nothing behind.

    Raises:
        UserError: there is nothing to copy, or not enough room.
        LogError: a file is damaged or cannot be read.

    """
    if not (state_dir / STORE).is_file():
        raise UserError(f"{state_dir}: there is no log here; name the configuration or the state folder")
    destination.mkdir(parents=True, exist_ok=True)
    _check_room(state_dir, destination)
    now = clock()
    folder = destination / f"quantum-mlops-{format_time(now)[:19].replace(':', '')}Z"
    draft = destination / f".{folder.name}"
    draft.mkdir(mode=0o700)
    try:
        files: dict[str, BackedUpFile] = {}
        for name in ORDER:
            if (state_dir / name).is_file():
                _copy(state_dir / name, draft / name)
                files[name] = describe_file(draft / name)
        manifest = Manifest(
            format=FORMAT, version=__version__, created=now, events=_count_events(draft / STORE), files=files
        )
        write_manifest(draft, manifest)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder, manifest


def _copy(source: Path, target: Path) -> None:
    try:
        reading = sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)
        try:
            copy_database(reading, source, target)
        finally:
            reading.close()
    except sqlite3.Error as error:
        raise log_error(error, source) from error


def _check_room(state_dir: Path, destination: Path) -> None:
    size = sum((state_dir / name).stat().st_size for name in ORDER if (state_dir / name).is_file())
    free = shutil.disk_usage(destination).free
    if free < size + _SPARE_BYTES:
        raise UserError(f"{destination}: {size / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free")


def _count_events(path: Path) -> int:
    reader = SqliteLog.open_reader(path)
    try:
        return sum(reader.end(Stream.EVENTS, number) for number in range(reader.partitions))
    finally:
        reader.close()
