"""What `doctor` and the status page say of the exporters, from their own figures and the daemon's."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from qml_daemon.exporters.plugins import asked_for, load_kind
from qml_daemon.exporters.process import ProcessStats
from qml_daemon.exporters.status import ExporterStatus, read_exporter_status
from quantum_mlops.clock import SECOND
from quantum_mlops.config.address import strip_address
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError

STALE_SECONDS = 30
SILENT_SECONDS = 120

Verdict = Literal["ok", "note", "fail"]
Line = tuple[str, Verdict, str]
"""A name, a verdict of `doctor`, and a text."""


class Remark(Struct, frozen=True, kw_only=True):
    """One thing to be said of an exporter."""

    name: str
    verdict: Verdict
    text: str


def remark(state_dir: Path, processes: Sequence[ProcessStats]) -> list[Remark]:
    """Return what is to be said of the exporters of a running daemon."""
    lines: list[Line] = []
    for process in processes:
        status = read_exporter_status(state_dir, process.name)
        lines += _report_process(process)
        if status is not None:
            lines += _report(process.name, status.address, status, has_daemon=process.given_up is None)
        elif process.pid is not None:
            lines.append((process.name, "note", "has written no figures yet"))
    return [Remark(name=name, verdict=verdict, text=text) for name, verdict, text in lines]


def report_exporters(
    config: Config, environ: Mapping[str, str], *, has_daemon: bool, processes: Sequence[ProcessStats] = ()
) -> Iterator[Line]:
    """Yield what is to be said of each exporter that is configured; without a daemon none is expected to run.

    `processes` is what the daemon last wrote of them.
    """
    ended = {process.name: process for process in processes if has_daemon and process.pid is None}
    for name in asked_for(config):
        try:
            address = load_kind(name).address(config) or ""
        except ConfigError as error:
            yield name, "fail", str(error)
            continue
        status = read_exporter_status(config.state_dir, name)
        if name in ended:
            yield from _report_process(ended[name])
        elif status is None:
            yield name, "note", f"{address}: no exporter has run here yet; it starts with the daemon"
        if status is not None:
            yield from _report(name, address, status, has_daemon=has_daemon)
        theirs = strip_address(environ.get("MLFLOW_TRACKING_URI", ""))
        if name == "mlflow" and theirs and theirs != address:
            yield name, "note", f"MLFLOW_TRACKING_URI is {theirs} here, the exporter sends to {address}"


def _report_process(process: ProcessStats) -> Iterator[Line]:
    if process.given_up is not None:
        yield process.name, "fail", f"does not run: {process.given_up}"
    elif process.pid is None and process.last_exit is not None:
        yield process.name, "fail", f"ended with {process.last_exit}, {process.failures} times; it is started again"


def _report(name: str, address: str, status: ExporterStatus, *, has_daemon: bool) -> Iterator[Line]:
    figures = status.figures
    text = f"{address}: {status.lag_records} records behind, " + ", ".join(
        f"{count} {kind.replace('_', ' ')}" for kind, count in figures.sent.items() if count or kind == "metrics"
    )
    age = (time.time_ns() - status.written) / SECOND
    verdict: Verdict = "ok"
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
