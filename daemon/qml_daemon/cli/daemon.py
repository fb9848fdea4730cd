"""`quantum-mlops daemon`."""

import enum
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption


class LogFormat(enum.StrEnum):
    """Lines for people, or one JSON object a line."""

    text = "text"
    json = "json"


def run_daemon(
    config: ConfigOption = None,
    log_format: Annotated[LogFormat, typer.Option(help="How the daemon's own log is written.")] = LogFormat.text,
) -> int:
    """Read the spool, run the processors, send alerts; until SIGTERM or Ctrl-C.

    \b
    Says READY on stderr when it works. Stops within 5 s: drains, stores everything, exit code 0.
    SIGHUP, or `quantum-mlops reload`: takes a changed configuration over without losing an event.

    \b
    Examples:
      quantum-mlops daemon
      quantum-mlops daemon --log-format json 2>> daemon.log
      quantum-mlops daemon --config /etc/quantum-mlops/quantum-mlops.toml
      QML_ROUTE__GROUP_WAIT=0s quantum-mlops daemon
    """
    from qml_daemon.assembly import Surroundings
    from qml_daemon.configuration import read_config
    from qml_daemon.journal import log_to_stderr
    from qml_daemon.readiness import Watchdog, notify_systemd
    from qml_daemon.service import Service

    say = log_to_stderr(log_format, sys.stderr)
    service = Service(
        lambda: read_config(config, os.environ),
        Surroundings(beat=Watchdog(os.environ).beat),
        lambda daemon: say(daemon.describe(os.environ)),
        lambda state: notify_systemd(os.environ, state),
    )

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        service.stop()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda *_: service.look_anew())
    service.run()
    say("quantum-mlops stopped")
    return 0
