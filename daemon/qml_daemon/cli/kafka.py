"""`quantum-mlops kafka init`, `status` and `lag`; `import` and `export` are in kafka_transfer."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli import kafka_transfer
from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.kafka.progress import Observer, Progress

app = typer.Typer(
    help="The log in Kafka: topics, owners, lag, carrying logs over and back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _kafka() -> None:
    """See the commands."""


@app.command("init")
def init_topics(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Make the topics that are missing, with the settings they need; check those that are there.

    \b
    Running it again changes nothing. A topic that does not fit is named with its setting, what was
    found, what is wanted and what mends it; then nothing is made, exit code 2.

    \b
    Examples:
      quantum-mlops kafka init --dry-run
      quantum-mlops kafka init
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.kafka.access import kafka_settings

    settings = kafka_settings(read_config(config, os.environ))
    from qml_daemon.kafka.topics import prepare_topics

    reports = prepare_topics(settings, dry_run=dry_run)
    if as_json:
        import msgspec

        print(msgspec.json.encode({"created": not dry_run, "topics": reports}).decode())
        return 0
    for one in reports:
        word = "there, fits" if one.existed else "would be made" if dry_run else "made"
        shown = ", ".join(f"{key}={value}" for key, value in sorted(one.settings.items()))
        print(f"{one.name}: {word}; partitions={one.partitions}, replicas={one.replicas}, {shown}")
    return 0


@app.command("status")
def show_status(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every two seconds; Ctrl-C ends.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Say of each partition who owns it, how far it is processed, what waits, how large its states are.

    \b
    It takes nothing over and needs no worker. With --watch the sizes of the states are left out, since
    all of them are read for that.

    \b
    Examples:
      quantum-mlops kafka status
      quantum-mlops kafka status --watch
      quantum-mlops kafka status --json | jq '.partitions[] | select(.owner == null)'
    """
    observer = _observe(config)
    try:
        while True:
            found = observer.look(states=not watch)
            if as_json:
                print(_json(found), flush=True)
            else:
                from qml_daemon.cli.progress_text import progress_lines
                from quantum_mlops.clock import system_clock

                clear = "\033[H\033[2J" if watch and sys.stdout.isatty() else ""
                print(clear + "\n".join(progress_lines(found, system_clock())), flush=True)
            if not watch:
                return 0
            time.sleep(2.0)
    except KeyboardInterrupt:
        return 0  # that is how watching ends
    finally:
        observer.close()


@app.command("lag")
def show_lag(
    config: ConfigOption = None,
    most: Annotated[int | None, typer.Option("--max", metavar="N", min=0, help="Exit code 1 over this total.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Print how many events wait, by partition and in all; for cron and probes.

    \b
    Examples:
      quantum-mlops kafka lag
      quantum-mlops kafka lag --max 10000 > /dev/null || page-somebody
    """
    observer = _observe(config)
    try:
        found = observer.look(states=False)
    finally:
        observer.close()
    if as_json:
        print(_json(found))
    else:
        for one in found.partitions:
            print(f"{one.partition} {one.lag}")
        print(f"total {found.lag}")
    return 1 if most is not None and found.lag > most else 0


app.command("import")(kafka_transfer.import_log)
app.command("export")(kafka_transfer.export_log)


def _observe(config: Path | None) -> "Observer":
    from qml_daemon.configuration import read_config
    from qml_daemon.kafka.access import kafka_settings

    settings = kafka_settings(read_config(config, os.environ))
    from qml_daemon.kafka.progress import Observer

    return Observer(settings)


def _json(found: "Progress") -> str:
    import msgspec

    return msgspec.json.encode({**msgspec.structs.asdict(found), "lag": found.lag}).decode()
