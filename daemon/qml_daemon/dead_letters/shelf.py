"""The dead letters of a configuration: their log, and the marks of those that were put back in."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from msgspec import Struct

from qml_daemon.dead_letters.door import Call, daemon_door, log_door
from qml_daemon.dead_letters.letter import LetterLog
from qml_daemon.dead_letters.marks import FILE, CursorMarks, FileMarks, Marks
from qml_daemon.dead_letters.retry import Door
from qml_daemon.history import open_store
from qml_daemon.kafka.access import kafka_settings, open_kafka
from qml_daemon.places import store_path
from quantum_mlops.config.sections import Config
from quantum_mlops.transports.base import Log
from quantum_mlops.transports.sqlite import SqliteLog

_WRITER = "dead-letters"


class Shelf(Struct, frozen=True):
    """A log with dead letters, and what marks them; `many_writers` is the log where this process may write it, too."""

    log: LetterLog
    marks: Marks
    many_writers: Log | None = None


@contextmanager
def open_shelf(config: Config) -> Iterator[Shelf]:
    """Give the dead letters for reading; beside a running daemon or without one.

    Raises:
        UserError: there is no log. LogError: it cannot be read.

    """
    if config.log.kind == "kafka":
        with closing(open_kafka(kafka_settings(config), _WRITER)) as log:
            yield Shelf(log, CursorMarks(log), log)
        return
    with closing(open_store(config)) as reader:
        yield Shelf(reader, FileMarks(config.state_dir / FILE))


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
    if shelf.many_writers is not None:
        yield log_door(shelf.many_writers)
        return
    log = SqliteLog(store_path(config), shelf.log.partitions, durability=config.log.durability)
    try:
        yield log_door(log)
    finally:
        log.close()
