"""The examinations of `doctor`: one function each, none of which changes anything."""

import os
import platform
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from qml_daemon.configuration import read_config
from qml_daemon.exporters.report import report_exporters
from qml_daemon.following.report import report_follower
from qml_daemon.http.report import report_http
from qml_daemon.kafka.report import report_log
from qml_daemon.mqtt.report import report_bridge
from qml_daemon.notifiers.plugins import build_notifiers, load_kinds
from qml_daemon.places import STATUS, store_path
from qml_daemon.price_report import report_prices
from qml_daemon.shipping.kafka_report import report_kafka
from qml_daemon.shipping.mqtt_report import report_mqtt
from qml_daemon.shipping.report import report_shipping
from qml_daemon.shipping.service_report import report_service
from qml_daemon.status import STALE_SECONDS, Status, read_status
from qml_daemon.training import training_need
from qml_processors.runner.counts import PartitionStats
from quantum_mlops.clock import SECOND
from quantum_mlops.config.load import is_file
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, LogError
from quantum_mlops.spool.reader import SegmentReader
from quantum_mlops.spool.segment import SUFFIX
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from quantum_mlops.version import __version__

Verdict = Literal["ok", "note", "fail"]
WAL_RESET_MENDED = (3, 51, 3)
LITTLE_DISK_BYTES = 1024**3
LONG_LAG_BYTES = 64 * 1024**2
LONG_LAG_RECORDS = 10_000
CLOCK_SECONDS = 60
MOST_SEGMENTS = 20
WORKERS = "see quantum-mlops kafka status"


class Examined(Struct, frozen=True):
    """One result, with what to do about it where it is not ok."""

    name: str
    verdict: Verdict
    text: str


def examine_all(path: Path | None, environ: Mapping[str, str]) -> list[Examined]:
    """Return all results; what depends on a configuration is left out where it is wrong."""
    found = [_python(), _sqlite()]
    try:
        config = read_config(path, environ)
        notifiers = build_notifiers(config, load_kinds())
    except ConfigError as error:
        return [*found, *(Examined("configuration", "fail", line) for line in str(error).splitlines())]
    found.append(Examined("configuration", "ok", str(config.path or "no file, the defaults are in force")))
    names = ", ".join(f"{receiver} ({kind})" for receiver, kind in notifiers)
    found.append(Examined("receivers", "ok", f"{names}; try: quantum-mlops receivers test"))
    status = read_status(config.state_dir / STATUS)
    found += [_folder(config.state_dir), _disk(config.state_dir)]
    found += [*_daemon(status), *_versions(config, status), *_log(config), _spool(config, status)]
    url = None if status is None or status.state == "stopped" else status.http
    has_daemon = status is not None and status.state == "ready"
    processes = () if status is None else status.exporters
    exporters = report_exporters(config, environ, has_daemon=has_daemon, processes=processes)
    shipping = (
        *report_shipping(config.spool_dir),
        *report_service(environ),
        *report_kafka(environ),
        *report_mqtt(environ),
    )
    follower = report_follower(config, status.follower if has_daemon and status is not None else None)
    others = (*report_http(config, url), *report_bridge(config, status), *exporters, *follower, *report_prices(environ))
    found += [Examined(*line) for line in (*shipping, *others)]
    need = training_need(config, environ)
    if need is not None:
        found.append(Examined("target", "note", need))
    return found


def _python() -> Examined:
    version = platform.python_version_tuple()
    good = (3, 11) <= (int(version[0]), int(version[1])) < (3, 14)
    text = platform.python_version() + ("" if good else "; tested are 3.11 to 3.13")
    return Examined("python", "ok" if good else "note", text)


def _sqlite() -> Examined:
    if sqlite3.sqlite_version_info >= WAL_RESET_MENDED:
        return Examined("sqlite", "ok", sqlite3.sqlite_version)
    text = (
        "before 3.51.3 two writers can corrupt a WAL file; the daemon keeps to one writer, let no other program write"
    )
    return Examined("sqlite", "note", f"{sqlite3.sqlite_version}: {text}")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that can be seen."""
    # Path.exists raises where a folder of another user is in the way.
    return next(one for one in (folder, *folder.parents) if os.path.exists(one))  # noqa: PTH110


def _folder(folder: Path) -> Examined:
    place = _nearest(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Examined("state folder", "fail", f"{folder}: cannot be written; set QML_STATE_DIR or [state] dir")
    return Examined("state folder", "ok", f"{folder}{'' if place == folder else ' (made at the first start)'}")


def _disk(folder: Path) -> Examined:
    place = _nearest(folder)
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GiB free"
    if free < LITTLE_DISK_BYTES:
        return Examined("disk", "note", f"{text}; the log stops when it is full")
    return Examined("disk", "ok", text)


def _daemon(status: Status | None) -> Iterator[Examined]:
    if status is None:
        yield Examined("daemon", "note", "no status of one can be read here; start it: quantum-mlops daemon")
        return
    age = (time.time_ns() - status.written) / SECOND
    if status.state == "stopped":
        yield Examined("daemon", "note", f"stopped {age:.0f} s ago; start it: quantum-mlops daemon")
    elif age > STALE_SECONDS:
        yield Examined("daemon", "fail", f"pid {status.pid} was last heard of {age:.0f} s ago; it hangs or was killed")
    else:
        taken = status.intake.events + (0 if status.ingest is None else status.ingest.accepted)
        taken += 0 if status.mqtt is None else status.mqtt.events
        yield Examined("daemon", "ok", f"pid {status.pid}, {taken} events since its start")
        yield _lag(status)
    if status.fault is not None:
        yield Examined("log", "fail", status.fault)
    for partition in _partitions(status):
        if partition.given_up is not None:
            yield Examined("processors", "fail", f"partition {partition.partition} is given up: {partition.given_up}")
    outbox = status.dispatcher.outbox
    text = f"{outbox.sent} sent, {outbox.waiting} waiting, {outbox.failed} failed since the daemon's start"
    yield Examined("notifications", "note" if outbox.failed or outbox.waiting else "ok", text)


def _partitions(status: Status) -> Sequence[PartitionStats]:
    return () if status.runner is None else status.runner.partitions


def _lag(status: Status) -> Examined:
    """Say how much the daemon has yet to look at; the spool's own line says what it has yet to read."""
    behind = sum(partition.lag for partition in _partitions(status))
    waiting = 0 if status.ingest is None else status.ingest.waiting
    if status.runner is None:
        return Examined("lag", "ok", f"{waiting} events received and not in the log yet; workers process: {WORKERS}")
    text = f"{behind} records of the log not processed yet, {waiting} events received and not in the log yet"
    return Examined("lag", "note" if behind > LONG_LAG_RECORDS else "ok", text)


def _versions(config: Config, status: Status | None) -> Iterator[Examined]:
    """Say which versions write the spool and which reads it: a new SDK may say more than an old daemon hears."""
    writers = sorted(_spool_writers(config.spool_dir))
    text = f"here {__version__}" + (f", SDKs in the spool {', '.join(writers)}" if writers else "")
    if status is None:
        yield Examined("versions", "ok", text)
        return
    text = f"daemon {status.version}, {text}"
    unknown = sum(partition.counts.unknown for partition in _partitions(status))
    is_newer = any(_release(version) > _release(status.version) for version in writers)
    if unknown or is_newer:
        text = f"{text}; {unknown} events of types that the daemon does not know were kept"
    if status.state == "ready" and status.version != __version__:
        yield Examined("versions", "note", f"{text}; restart the daemon to run what is installed")
    else:
        yield Examined("versions", "note" if is_newer else "ok", text)


def _spool_writers(folder: Path) -> set[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))  # noqa: PTH208 - pathlib hides errors
    except OSError:  # the spool's own examination says why
        return set()
    found = set()
    for name in names[-MOST_SEGMENTS:]:
        try:
            reader = SegmentReader(folder / name)
        except (OSError, ValueError):  # the daemon removed it meanwhile, or will dead-letter it
            continue
        if reader.header is not None:
            found.add(reader.header.sdk_version)
        reader.close()
    return found


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with.

    >>> _release("1.10.0rc1") > _release("1.9.2")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _log(config: Config) -> Iterator[Examined]:
    if config.log.kind == "kafka":
        return (Examined(*line) for line in report_log(config))
    return _store(config)


def _store(config: Config) -> Iterator[Examined]:
    path = store_path(config)
    try:
        if config.log.kind == "memory" or not is_file(path):
            return
        reader = SqliteLog.open_reader(path)
    except (ConfigError, LogError) as error:
        yield Examined("log", "fail", str(error))
        return
    try:
        ends = {stream.value: sum(reader.end(stream, n) for n in range(reader.partitions)) for stream in Stream}
        yield Examined("log", "ok", ", ".join(f"{count} {name}" for name, count in ends.items()))
        letters = Stream.DEAD_LETTERS
        dead = sum(reader.end(letters, n) - reader.start(letters, n) for n in range(reader.partitions))
        if dead:
            yield Examined("dead letters", "note", f"{dead} kept with their reasons; see: quantum-mlops tail {letters}")
        last = [reader.read(Stream.EVENTS, n, reader.end(Stream.EVENTS, n) - 1, 1) for n in range(reader.partitions)]
        ahead = max((records[0].ingestedtime for records in last if records), default=0) - time.time_ns()
        if ahead > CLOCK_SECONDS * SECOND:
            text = f"the log is {ahead / SECOND:.0f} s ahead of this machine; check its time service"
            yield Examined("clock", "fail", text)
        else:
            yield Examined("clock", "ok", "not behind the log")
    except LogError as error:
        yield Examined("log", "fail", str(error))
    finally:
        reader.close()


def _spool(config: Config, status: Status | None) -> Examined:
    folder = config.spool_dir
    if os.path.isfile(folder):  # noqa: PTH113 - pathlib raises where a name is too long
        return Examined("spool", "fail", f"{folder}: is a file, not a folder; remove it or set [spool] dir")
    try:
        names = [name for name in os.listdir(folder) if name.endswith(SUFFIX)]  # noqa: PTH208 - pathlib hides errors
        size = sum(_size(folder / name) for name in names)
    except FileNotFoundError:
        return Examined("spool", "note", f"{folder}: no folder yet; instrumented code makes it")
    except OSError as error:
        return Examined("spool", "fail", f"{folder}: cannot be read: {error.strerror}")
    if status is not None and status.intake.fault is not None:
        return Examined("spool", "fail", status.intake.fault)
    lag = size if status is None or status.state == "stopped" else status.intake.lag_bytes
    text = f"{folder}: {size / 1024**2:.1f} MiB, {lag / 1024**2:.1f} MiB not in the log yet"
    return Examined("spool", "note" if lag > LONG_LAG_BYTES else "ok", text)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the daemon removed it meanwhile
        return 0
