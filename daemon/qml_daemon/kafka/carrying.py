"""A SQLite log carried into Kafka's topics and back, with its states."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from qml_daemon.kafka.access import ask_broker, open_kafka
from qml_processors.runner import load_processors
from qml_processors.transfer import Carried, carry
from qml_processors.transfer.job import Tell
from quantum_mlops.config.load import is_file
from quantum_mlops.errors import UserError
from quantum_mlops.transports.kafka.admin import describe_group
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics
from quantum_mlops.transports.lockfile import LockFile
from quantum_mlops.transports.sqlite import SqliteLog

_WRITER = "transfer"
_BESIDE = ("", "-wal", "-shm", ".lock")


def import_file(path: Path, settings: KafkaSettings, tell: Tell) -> Carried:
    """Carry the SQLite log at `path` into Kafka. Called again after an interruption it goes on.

    Raises:
        UserError: there is no file, or workers run. TransferError: the topics are not empty.
        LogLockedError: a daemon writes the file.
        QuantumMlopsError: one of the logs fails.

    """
    if not is_file(path):
        raise UserError(f"{path}: no log there")
    with _unwritten(path), closing(SqliteLog.open_reader(path)) as source, _kafka_alone(settings) as target:
        return carry(source, target, load_processors(), str(path.resolve()), tell=tell)


def export_file(settings: KafkaSettings, path: Path, tell: Tell) -> Carried:
    """Carry the log in Kafka into a new SQLite log at `path`, which appears when it is whole.

    Where the broker removed what the states needed, a DataLoss finding says so in the copy.

    Raises:
        UserError: the file is there, or workers run.
        QuantumMlopsError: one of the logs fails; there is no file then.

    """
    if path.exists():
        raise UserError(f"{path}: is there already; an export makes a new file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    name = f"Kafka at {settings.servers}, topics {settings.topic_prefix}…"
    try:
        with _kafka_alone(settings) as source, closing(SqliteLog(draft)) as target:
            carried = carry(source, target, load_processors(), name, tell=tell, accept_loss=True)
            target.move_cursors(dict.fromkeys(target.cursors("transfer/plan")))
        draft.rename(path)
    finally:
        for ending in _BESIDE:
            draft.with_name(draft.name + ending).unlink(missing_ok=True)
    return carried


@contextmanager
def _unwritten(path: Path) -> Iterator[None]:
    """Keep daemons from writing the file, which itself is only read: it may be a backup, with a digest."""
    try:
        lock = LockFile(path.with_name(f"{path.name}.lock"))
    except OSError:  # a folder that nobody here can write
        yield
        return
    with closing(lock):
        yield


@contextmanager
def _kafka_alone(settings: KafkaSettings) -> Iterator[KafkaLog]:
    """Give the log in Kafka while no worker runs; one that starts meanwhile is fenced, or fences this."""
    members = ask_broker(
        settings, describe_group(settings, Topics(settings.topic_prefix).events), "looking at the group"
    )
    if members:
        hosts = ", ".join(sorted({member.host for member in members}))
        raise UserError(f"{len(members)} workers of group {settings.group} run ({hosts}); stop them first")
    with closing(open_kafka(settings, _WRITER)) as log:
        yield log
