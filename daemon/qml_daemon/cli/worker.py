"""`quantum-mlops worker`."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from qml_daemon.cli.daemon import LogFormat
from qml_daemon.cli.options import ConfigOption


def run_worker(
    config: ConfigOption = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /metrics, /-/healthy and /-/ready are; port 0: any, or off.")
    ] = "127.0.0.1:0",
    instance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A name of its own for each worker: a restart within the session timeout keeps its partitions.",
            show_default=False,
        ),
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How the worker's own log is written.")] = LogFormat.text,
) -> int:
    """Process partitions of Kafka, as one of any number of workers; until SIGTERM or Ctrl-C.

    \b
    Says READY on stderr when it works. Needs [log] kind = "kafka" and the topics (quantum-mlops kafka init).
    Ends where it cannot go on, and is to be started again (Restart=always): nothing is lost, nothing counted twice.

    \b
    Exit codes: 0 stopped in order, 2 a mistake in the configuration (credentials, topics), 70 start me again.

    \b
    Examples:
      quantum-mlops worker
      quantum-mlops worker --config /etc/quantum-mlops/quantum-mlops.toml --listen 127.0.0.1:8766
      quantum-mlops worker --instance worker-1
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.journal import log_to_stderr
    from quantum_mlops.errors import MissingExtraError

    try:
        from qml_daemon.worker.process import CRASHED, WorkerOptions, WorkerProcess
    except ModuleNotFoundError as error:
        if error.name not in {"aiokafka", "cramjam"}:
            raise
        raise MissingExtraError("the worker", "kafka") from error

    settings = read_config(config, os.environ)
    say = log_to_stderr(log_format, sys.stderr)
    process = WorkerProcess(settings, WorkerOptions(listen=listen, instance=instance), say)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        process.stop()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    code = process.run(os.environ)
    if code == CRASHED:
        sys.stderr.flush()
        os._exit(code)  # no thread of a broken client is waited for
    return code
