"""The daemon's own figures, as a small file beside the store: what `doctor` and people read."""

import os
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from qml_daemon.dispatch.dispatcher import DispatcherStats
from qml_daemon.exporters.process import ProcessStats
from qml_daemon.ingest.door import IngestStats
from qml_daemon.intake.intake import IntakeStats
from qml_daemon.mqtt.stats import MqttStats
from qml_processors.runner.counts import RunnerStats

STALE_SECONDS = 20
"""A status that is older than this is that of a daemon that hangs or was killed; it is written every 5 s."""


class Status(Struct, frozen=True, kw_only=True):
    """What the daemon did since its start. Times are nanoseconds UTC; `fault` is the last error of the log.

    `http` is the address of the HTTP service, as bound. `reloads` counts the times that the
    configuration was read anew; `reload_fault` says why it was not taken over. `runner` is None where
    workers process, which tell their own figures. `follower` is None where it is not enabled.
    """

    version: str
    pid: int
    http: str | None = None
    state: Literal["ready", "stopped"]
    config: str | None
    started: int
    written: int
    log_errors: int
    fault: str | None
    reloads: int = 0
    reload_fault: str | None = None
    records_removed: int
    unread_removed: int
    ingest: IngestStats | None = None
    mqtt: MqttStats | None = None
    intake: IntakeStats
    runner: RunnerStats | None = None
    dispatcher: DispatcherStats
    exporters: list[ProcessStats] = []
    follower: ProcessStats | None = None


def write_status(path: Path, status: Status) -> None:
    """Replace the file; a reader sees the old one or the new one.

    Raises:
        OSError: the disk refuses.

    """
    draft = path.with_name(f".{path.name}.{status.pid}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=1))
    os.replace(draft, path)  # noqa: PTH105 - pathlib's replace is the same call


def read_status(path: Path) -> Status | None:
    """Return the figures, or None where no daemon of this version wrote them."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return None
