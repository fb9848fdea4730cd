"""What `doctor` says of the exporters, from their own figures."""

import time
from collections.abc import Iterator, Mapping
from typing import Literal

from qml_daemon.exporters.plugins import asked_for, load_kind
from qml_daemon.exporters.status import ExporterStatus, read_exporter_status
from quantum_mlops.clock import SECOND
from quantum_mlops.config.address import strip_address
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError

STALE_SECONDS = 30
SILENT_SECONDS = 120

Line = tuple[str, Literal["ok", "note", "fail"], str]
"""A name, a verdict of `doctor`, and a text."""


def report_exporters(config: Config, environ: Mapping[str, str], *, has_daemon: bool) -> Iterator[Line]:
    """Yield what is to be said of each exporter that is configured; without a daemon none is expected to run."""
    for name in asked_for(config):
        try:
            address = load_kind(name).address(config) or ""
        except ConfigError as error:
            yield name, "fail", str(error)
            continue
        status = read_exporter_status(config.state_dir, name)
        if status is None:
            yield name, "note", f"{address}: no exporter has run here yet; it starts with the daemon"
        else:
            yield from _report(name, address, status, has_daemon=has_daemon)
        theirs = strip_address(environ.get("MLFLOW_TRACKING_URI", ""))
        if name == "mlflow" and theirs and theirs != address:
            yield name, "note", f"MLFLOW_TRACKING_URI is {theirs} here, the exporter sends to {address}"


def _report(name: str, address: str, status: ExporterStatus, *, has_daemon: bool) -> Iterator[Line]:
    figures = status.figures
    text = f"{address}: {status.lag_records} records behind, " + ", ".join(
        f"{count} {kind.replace('_', ' ')}" for kind, count in figures.sent.items() if count or kind == "metrics"
    )
    age = (time.time_ns() - status.written) / SECOND
    verdict: Literal["ok", "note", "fail"] = "ok"
    if status.state == "stopped" or (age > STALE_SECONDS and not has_daemon):
        verdict, text = "note", f"{text}; stopped {age:.0f} s ago"
    elif age > STALE_SECONDS:
        verdict, text = "fail", f"{text}; last heard of {age:.0f} s ago: it hangs or was killed"
    elif _is_cut_off(status):
        verdict, text = "fail", f"{text}; nothing is taken: {figures.last_error}"
    yield name, verdict, text
    if figures.refused:
        yield name, "note", f"{figures.refused} entries refused for good, the last: {figures.last_refusal}"
    if status.removed:
        yield name, "note", f"{status.removed} records were removed by log.retention before they were exported"
    for note in figures.notes:
        yield name, "note", note


def _is_cut_off(status: ExporterStatus) -> bool:
    """Whether the last calls failed, and for long nothing has been taken."""
    figures = status.figures
    if figures.last_error_time is None:
        return False
    since = max(figures.last_success or 0, status.started)
    return figures.last_error_time > since and status.written - since > SILENT_SECONDS * SECOND
