"""`quantum-mlops kafka import` and `export`."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_processors.transfer import Carried


def import_log(
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A store.sqlite; else the state folder's.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Carry a SQLite log with its states into empty topics: events, findings, summaries, dead letters, rules.

    \b
    What is open stays open with its id, and workers go on where the daemon ended. The daemon that
    writes the file, and workers, must not run. Ended before it is done, it goes on when called again. The
    file stays as it is.

    \b
    Examples:
      quantum-mlops kafka init && quantum-mlops kafka import
      quantum-mlops kafka import --from backup/store.sqlite
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.kafka.access import kafka_settings
    from qml_daemon.places import store_path

    found = read_config(config, os.environ)
    settings = kafka_settings(found)
    from qml_daemon.cli.progress_text import Progressed
    from qml_daemon.kafka.carrying import import_file

    path = source or store_path(found)
    with closing(Progressed()) as tell:
        carried = import_file(path, settings, tell)
    return _tell(carried, f"{path} is in {settings.servers}, topics {settings.topic_prefix}…", as_json=as_json)


def export_log(
    target: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new store.sqlite.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Carry the log in Kafka with its states into a new SQLite log: the way back, and to more partitions.

    \b
    Workers must not run. What is sent to Kafka meanwhile is not in the file. It appears when it is whole.

    \b
    Examples:
      quantum-mlops kafka export --to store.sqlite
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.kafka.access import kafka_settings

    settings = kafka_settings(read_config(config, os.environ))
    from qml_daemon.cli.progress_text import Progressed
    from qml_daemon.kafka.carrying import export_file

    with closing(Progressed()) as tell:
        carried = export_file(settings, target, tell)
    return _tell(carried, f"{settings.servers}, topics {settings.topic_prefix}…, is in {target}", as_json=as_json)


def _tell(carried: "Carried", what: str, *, as_json: bool) -> int:
    if as_json:
        import msgspec

        print(msgspec.json.encode(carried).decode())
        return 0
    print(
        f"{carried.events:,} events, {carried.findings:,} findings, {carried.summaries:,} summaries, "
        f"{carried.dead_letters:,} dead letters, {carried.series:,} series, {carried.open_findings:,} open findings"
    )
    if carried.undecodable:
        print(f"note: {carried.undecodable:,} records are no events; they are among the dead letters", file=sys.stderr)
    print(what)
    return 0
