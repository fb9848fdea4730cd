"""`quantum-mlops daemon`."""

import logging
import os
import signal
import sys
from types import FrameType

from qml_daemon.cli.options import ConfigOption


def run_daemon(config: ConfigOption = None) -> int:
    """Read the spool, run the processors, send alerts; until SIGTERM or Ctrl-C.

    \b
    Says READY on stderr when it works. Stops within 5 s: drains, stores everything, exit code 0.

    \b
    Examples:
      quantum-mlops daemon
      quantum-mlops daemon --config /etc/quantum-mlops/quantum-mlops.toml
      QML_ROUTE__GROUP_WAIT=0s quantum-mlops daemon
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.readiness import notify_systemd
    from qml_daemon.runtime import Daemon

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    daemon = Daemon(read_config(config, os.environ))

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        daemon.stop.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        daemon.start()
        print(daemon.describe(os.environ), file=sys.stderr, flush=True)
        notify_systemd(os.environ, "READY=1")
        daemon.run()
    finally:
        notify_systemd(os.environ, "STOPPING=1")
        daemon.close()
    print("quantum-mlops stopped", file=sys.stderr, flush=True)
    return 0
