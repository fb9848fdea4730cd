"""The dead letters of a configuration: their log, and the marks of those that were put back in."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from qml_daemon.dead_letters.door import Call, daemon_door, log_door
from qml_daemon.dead_letters.letter import LetterLog
from qml_daemon.dead_letters.marks import FILE, FileMarks, Marks
from qml_daemon.dead_letters.retry import Door
from qml_daemon.history import open_store
from qml_daemon.places import store_path
from quantum_mlops.config.sections import Config
from quantum_mlops.transports.sqlite import SqliteLog


class Shelf(Struct, frozen=True):
    """A log with dead letters, and what marks them."""

    log: LetterLog
    marks: Marks


@contextmanager
def open_shelf(config: Config) -> Iterator[Shelf]:
    """Give the dead letters for reading; beside a running daemon or without one.

    Raises:
        UserError: there is no log. LogError: it cannot be read.

    """
    reader = open_store(config)
    try:
        yield Shelf(reader, FileMarks(config.state_dir / FILE))
    finally:
        reader.close()


@contextmanager
def open_door(config: Config, shelf: Shelf, pid: int | None, call: Call) -> Iterator[Door]:
    """Give the way back in: through the daemon `pid` by `call`, or into the log where none runs.

    Raises:
        UserError: the daemon has no HTTP service.
        LogLockedError: another process writes the log.

    """
    if pid is not None:
        yield daemon_door(config, call)
        return
    log = SqliteLog(store_path(config), shelf.log.partitions, durability=config.log.durability)
    try:
        yield log_door(log)
    finally:
        log.close()
