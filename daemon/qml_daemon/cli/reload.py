"""`quantum-mlops reload`."""

import os
import sys

from qml_daemon.cli.options import ConfigOption

_RELOAD_SECONDS = 30.0


def reload_daemon(config: ConfigOption = None) -> int:
    """Check the configuration, then let the running daemon take it over; no event is lost.

    \b
    Rules act from a few seconds later on, at one instant in all partitions. A wrong configuration
    changes nothing. The daemon reads the file that it was started with.

    \b
    Examples:
      quantum-mlops reload
      kill -HUP <pid of the daemon>      the same
    """
    from qml_daemon.cli.running import current_status, signal_daemon, wait_for
    from qml_daemon.configuration import read_config
    from quantum_mlops.errors import UserError

    wanted = read_config(config, os.environ)
    before = current_status(wanted.state_dir)
    pid = signal_daemon(wanted.state_dir)
    if pid is None:
        raise UserError(f"no daemon runs on {wanted.state_dir}; start it: quantum-mlops daemon")

    def is_done() -> bool:
        now = current_status(wanted.state_dir)
        return now is not None and now.state == "ready" and (before is None or now.reloads != before.reloads)

    if not wait_for(is_done, _RELOAD_SECONDS):
        raise UserError(f"the daemon (pid {pid}) did not say that it reloaded; see its log")
    status = current_status(wanted.state_dir)
    if status is not None and status.reload_fault is not None:
        raise UserError(f"the daemon (pid {pid}) keeps its old configuration: {status.reload_fault}")
    if status is not None and status.config != (None if wanted.path is None else str(wanted.path)):
        print(f"note: the daemon reads {status.config or 'no file'}, not {wanted.path}", file=sys.stderr)
    print(f"reloaded (pid {pid})")
    return 0
