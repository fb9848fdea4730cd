"""`quantum-mlops backup` and `quantum-mlops restore`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from quantum_mlops.config.sections import Config

_RESTORE_SECONDS = 60.0


def back_up_state(
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the backup's own folder is made.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Copy log and outbox, each as at one instant, while the daemon works.

    \b
    Not in it: events still in the spool, the views (made anew from the log), the configuration.
    A log on Kafka is refused: Kafka keeps copies, and `quantum-mlops kafka export` takes it into a file.

    \b
    Examples:
      quantum-mlops backup /var/backups
      quantum-mlops backup . --json
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.operations.backup import back_up
    from quantum_mlops.clock import system_clock

    state_dir = _own_state(read_config(config, os.environ))
    print(f"copying the log in {state_dir} …", file=sys.stderr)
    folder, manifest = back_up(state_dir, destination, system_clock)
    size = sum(one.size_bytes for one in manifest.files.values())
    if as_json:
        import msgspec

        print(msgspec.json.encode({"backup": str(folder), "manifest": manifest}).decode())
    else:
        print(f"{folder}: {manifest.events:,} events, {size / 2**20:.1f} MiB, checked")
        print(f"put it back: quantum-mlops restore {folder}")
    return 0


def restore_state(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder that `backup` made.")],
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Put a backup in the place of the state; a daemon that runs takes it over by itself.

    \b
    The old state stays beside it in before-restore-…; events in the spool are read afterwards as usual.

    \b
    Examples:
      quantum-mlops restore /var/backups/quantum-mlops-2026-11-21T120000Z
      quantum-mlops restore backup --yes
    """
    from qml_daemon.cli.running import signal_daemon, wait_for
    from qml_daemon.configuration import read_config
    from qml_daemon.operations.manifest import read_manifest
    from qml_daemon.operations.restore import is_staged, stage, swap
    from quantum_mlops.clock import system_clock
    from quantum_mlops.errors import UserError

    state_dir = _own_state(read_config(config, os.environ))
    manifest = read_manifest(backup)
    print(f"{backup}: {manifest.events:,} events, whole", file=sys.stderr)
    if not yes and not typer.confirm(f"Put it in the place of the state in {state_dir}?", err=True):
        return 1
    stage(backup, state_dir)
    pid = signal_daemon(state_dir)
    if pid is None:
        print(f"restored; the old state is in {swap(state_dir, system_clock)}")
        return 0
    if not wait_for(lambda: not is_staged(state_dir), _RESTORE_SECONDS):
        raise UserError(f"the daemon (pid {pid}) did not take the backup over; see its log, or restart it")
    print(f"restored by the daemon (pid {pid}); the old state is beside it in before-restore-…")
    return 0


def _own_state(config: "Config") -> Path:
    """Return the state folder, where the log is in it.

    Raises:
        UserError: it is on Kafka; a copy of the rest would not fit what the log has become meanwhile.

    """
    from quantum_mlops.errors import UserError

    if config.log.kind == "kafka":
        raise UserError(
            "this log is on Kafka, which keeps copies of its own (kafka.replication_factor); take it into a file:"
            " quantum-mlops kafka export. Alerts and silences are in the outbox: copy it while the daemon is stopped"
        )
    return config.state_dir
