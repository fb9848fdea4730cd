"""`quantum-mlops replay`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption


def replay_log(
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="A store.sqlite; else the configured one.", show_default=False),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Show findings from then on (RFC 3339).", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run the processors over the stored log again and compare the findings; sends and writes nothing.

    \b
    The same log gives the same findings with the same ids: exit code 0. Where retention removed the
    beginning of the log they may differ: exit code 1.

    \b
    Examples:
      quantum-mlops replay
      quantum-mlops replay --log build/demo/state/store.sqlite
      quantum-mlops replay --since 2026-11-20T12:00:00Z --json
    """
    from qml_daemon.comparison import compare_replay
    from qml_daemon.configuration import read_config
    from qml_daemon.history import open_store
    from quantum_mlops.errors import UserError
    from quantum_mlops.timestamps import parse_time

    try:
        start = 0 if since is None else parse_time(since)
    except ValueError as error:
        raise UserError(f"--since: {error}; write it like 2026-11-20T12:00:00Z") from error
    reader = open_store(read_config(config, os.environ), log)
    try:
        found = compare_replay(reader, start)
    finally:
        reader.close()
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode())
        return 0 if found.is_identical else 1
    from qml_daemon.cli.finding_text import utc
    from qml_daemon.cli.terminal import safe

    for one in found.transitions:
        print(f"{utc(one.time)} {one.finding_id} {one.transition} {one.change:<7} {safe(one.rule)} [{one.verdict}]")
    same = sum(one.verdict == "same" for one in found.transitions)
    print(f"identical: {same} of {len(found.transitions)} (events replayed: {found.events})")
    return 0 if found.is_identical else 1
