"""`quantum-mlops replay`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.history import LogReader
    from qml_daemon.reproduction import Reproduction


def replay_log(
    source: Annotated[
        str | None,
        typer.Option(
            "--log",
            "--from",
            metavar="FILE|kafka",
            help="A store.sqlite, or the topics of [kafka]; else the configured log.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION|TIME", help="Show findings from then on (7d, or RFC 3339).", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DURATION|TIME", help="Read events before that only.", show_default=False)
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(metavar="DURATION|TIME", help="Begin reading there, with empty states.", show_default=False),
    ] = None,
    finding: Annotated[
        str | None,
        typer.Option(
            "--finding",
            metavar="ID",
            help="Only this finding, from its bundle; an id or its first digits.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run the processors over the stored log again and compare the findings; sends and writes nothing.

    \b
    The same log gives the same findings with the same ids: exit code 0. Where retention removed the
    beginning of the log they may differ: exit code 1.

    \b
    The whole log is read, since a finding may rest on events long before it. --begin starts in the middle instead,
    under the newest rules: what rests on older events then differs.

    \b
    With --finding only the step that opened it runs again, from the evidence bundle in the alert:
    exit code 0 where the same finding comes out with the same id, else 1 (also where it has no bundle).

    \b
    Examples:
      quantum-mlops replay
      quantum-mlops replay --log build/demo/state/store.sqlite
      quantum-mlops replay --since 2026-11-20T12:00:00Z --json
      quantum-mlops replay --from kafka --begin 2d --since 1d
      quantum-mlops replay --finding 3f2a91
    """
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.comparison import compare_replay
    from qml_daemon.spanned_log import FOREVER, Span
    from quantum_mlops.clock import system_clock
    from quantum_mlops.errors import UserError

    if finding is not None and (since or until or begin):
        raise UserError("--finding needs no time: --since, --until and --begin exclude it")
    now = system_clock()
    first = 0 if begin is None else read_moment(begin, now, "--begin")
    span = Span(
        begin=first,
        since=first if since is None else read_moment(since, now, "--since"),
        until=FOREVER if until is None else read_moment(until, now, "--until"),
    )
    reader = _open(config, source)
    if finding is not None:
        return _replay_finding(reader, finding, as_json=as_json)
    try:
        found = compare_replay(reader, span)
    finally:
        reader.close()
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode())
        return 0 if found.is_identical else 1
    from qml_daemon.cli.finding_text import utc
    from qml_daemon.plain_text import safe

    for one in found.transitions:
        print(f"{utc(one.time)} {one.finding_id} {one.transition} {one.change:<7} {safe(one.rule)} [{one.verdict}]")
    same = sum(one.verdict == "same" for one in found.transitions)
    print(f"identical: {same} of {len(found.transitions)} (events replayed: {found.events})")
    return 0 if found.is_identical else 1


def _open(config: Path | None, source: str | None) -> "LogReader":
    from qml_daemon.configuration import read_config
    from qml_daemon.history import open_store
    from qml_daemon.kafka.access import kafka_settings, open_kafka

    found = read_config(config, os.environ)
    if source == "kafka":
        return open_kafka(kafka_settings(found), "reader")
    return open_store(found, None if source is None else Path(source))


def _replay_finding(reader: "LogReader", prefix: str, *, as_json: bool) -> int:
    from qml_daemon.reproduction import reproduce_finding

    try:
        found = reproduce_finding(reader, prefix)
    finally:
        reader.close()
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode())
    else:
        print(_line(found))
    return 0 if found.verdict == "identical" else 1


def _line(found: "Reproduction") -> str:
    from qml_daemon.plain_text import safe

    if found.verdict == "no bundle":
        return f"no bundle: {safe(found.reason or '')} (finding {found.finding_id})"
    version = f"{safe(found.processor or 'unknown')} {found.processor_version}"
    if found.installed_version != found.processor_version:
        version += f", installed {found.installed_version}"
    reason = f": {safe(found.reason)}" if found.reason else ""
    ids = f"finding {found.finding_id}, reproduced {found.reproduced_id or 'none'}"
    return f"{found.verdict}{reason} ({ids}; {safe(found.rule)}, {version})"
