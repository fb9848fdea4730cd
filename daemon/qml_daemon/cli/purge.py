"""`quantum-mlops purge`."""

import os
import sys
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption


def purge_all(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Remove everything that was written here: log, outbox, views, spool. The configuration is yours and stays.

    \b
    Refused while a daemon runs. Topics in Kafka stay: they may be others', too. After it and
    `pip uninstall quantum-mlops` nothing is left.

    \b
    Examples:
      quantum-mlops purge --dry-run
      quantum-mlops purge --yes
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.operations.purge import find_written, remove_written

    whole = read_config(config, os.environ)
    found = find_written(whole)
    if not dry_run:
        text = f"Remove {len(found)} files and folders, {sum(one.size_bytes for one in found) / 2**20:.1f} MiB?"
        if found and not yes and not typer.confirm(text, err=True):
            return 1
        found = remove_written(whole)
    if as_json:
        import msgspec

        print(msgspec.json.encode({"removed": not dry_run, "files": found}).decode())
        return 0
    for one in found:
        print(f"{'would remove' if dry_run else 'removed'} {one.path} ({one.size_bytes:,} bytes)")
    if not found:
        print("nothing is here", file=sys.stderr)
    if whole.kafka is not None and whole.log.kind == "kafka":
        prefix = whole.kafka.topic_prefix
        print(f"the topics {prefix}* stay in Kafka; remove them there: kafka-topics.sh --delete", file=sys.stderr)
    if whole.path is not None:
        print(f"the configuration stays: {whole.path}", file=sys.stderr)
    return 0
