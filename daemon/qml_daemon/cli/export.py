"""`quantum-mlops export`."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption


def export_log(
    name: Annotated[str, typer.Argument(metavar="EXPORTER", help="Of the section under [exporters]: mlflow.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION|TIME", help="Once more from then on (7d, or RFC 3339).", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Export what the stored log holds, now and in the foreground, until all of it has arrived.

    \b
    Goes on where the exporter stopped; with --since it begins again from that time. Sending twice is
    harmless: MLflow keeps one row of equal values. Needs the log only; the daemon's own exporter must not run.
    Exit code 0: all has arrived; 1: stopped before, or something was refused.

    \b
    Examples:
      quantum-mlops export mlflow
      quantum-mlops export mlflow --since 30d
      QML_EXPORTERS__MLFLOW__TRACKING_URI=http://127.0.0.1:5000 quantum-mlops export mlflow --since 2026-11-01T00:00:00Z
    """
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.exporters.session import open_worker
    from quantum_mlops.clock import system_clock

    start = None if since is None else read_moment(since, system_clock(), "--since")
    worker = open_worker(name, config, os.environ)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        worker.stop.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if start is not None:
            worker.rewind(start)
        worker.run(until_end=True)
        done = not worker.stop.is_set()
        figures = worker.figures()
    finally:
        worker.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if as_json:
        import msgspec

        print(msgspec.json.encode(figures).decode())
    else:
        counts = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in figures.sent.items())
        print(f"{counts}; refused for good: {figures.refused}; waiting: {figures.waiting}")
        for note in figures.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0 if done and not figures.refused else 1
