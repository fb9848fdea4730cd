"""An exporter's own figures, as a small file beside the daemon's `status.json`: what `doctor` and people read."""

import os
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from qml_daemon.exporters.base import Figures


class ExporterStatus(Struct, frozen=True, kw_only=True):
    """What one exporter does. `lag_records` are records of the log that have not arrived; `removed` never will.

    `removed` counts those that retention took before they were read. Times are nanoseconds UTC.
    """

    name: str
    version: str
    pid: int
    state: Literal["running", "stopped"]
    address: str
    started: int
    written: int
    cursor: dict[str, int]
    lag_records: int
    removed: int
    log_errors: int
    figures: Figures


def status_path(state_dir: Path, name: str) -> Path:
    """Return the file of an exporter's figures."""
    return state_dir / f"exporter-{name}.json"


def store_path(state_dir: Path, name: str) -> Path:
    """Return the file of what an exporter must not forget."""
    return state_dir / f"exporter-{name}.sqlite"


def write_exporter_status(state_dir: Path, status: ExporterStatus) -> None:
    """Replace the file; a reader sees the old one or the new one.

    Raises:
        OSError: the disk refuses.

    """
    path = status_path(state_dir, status.name)
    draft = path.with_name(f"{path.name}.{status.pid}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=1))
    os.replace(draft, path)  # noqa: PTH105 - pathlib's replace is the same call


def read_exporter_status(state_dir: Path, name: str) -> ExporterStatus | None:
    """Return the figures, or None where no exporter of this version wrote them."""
    try:
        return msgspec.json.decode(status_path(state_dir, name).read_bytes(), type=ExporterStatus)
    except (OSError, msgspec.DecodeError):
        return None
