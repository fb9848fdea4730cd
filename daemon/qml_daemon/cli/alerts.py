"""`quantum-mlops alerts` and `quantum-mlops alerts show`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.deliveries import Delivery
    from qml_daemon.finding import FindingHistory
    from quantum_mlops.config.sections import Config

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def list_alerts(
    context: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most resolved ones and notices to show.")] = 20,
) -> None:
    """List what is firing and what was, with numbers, and deliveries that failed; where nothing fires, what is watched.

    \b
    Examples:
      quantum-mlops alerts
      quantum-mlops alerts --json
      quantum-mlops alerts show 3f2a91
    """
    if context.invoked_subcommand is not None:
        context.obj = (config, as_json)
        return
    from qml_daemon.watching import read_watching, watching_line

    found = _configure(config)
    findings, deliveries = _read(found)
    watching = read_watching(found)
    firing = [one for one in findings if one.status == "firing"]
    past = [one for one in findings if one.status != "firing"][-limit:]
    if as_json:
        import msgspec

        troubles = [one for one in deliveries if one.status != "sent"]
        told = {"alerts": [*firing, *past], "undelivered": troubles, "watching": watching}
        print(msgspec.json.encode(told).decode())
        return
    from qml_daemon.cli.finding_text import finding_lines
    from qml_daemon.plain_text import safe

    for one in [*firing, *past]:
        print("\n".join(finding_lines(one)), end="\n\n")
    resolved = sum(one.status == "resolved" for one in findings)
    print(f"{len(firing)} firing, {resolved} resolved, {len(findings) - len(firing) - resolved} notices")
    if not firing:
        print(safe(watching_line(watching)))
    for status in ("waiting", "failed"):
        _show_troubles([one for one in deliveries if one.status == status], status)


@app.command("show")
def show_alert(
    context: typer.Context,
    finding: Annotated[str, typer.Argument(metavar="ID", help="The finding's id, or its first digits.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one alert with all its evidence: numbers, lists, events, deliveries.

    \b
    Examples:
      quantum-mlops alerts show 3f2a91
      quantum-mlops alerts show 3f2a91 --json
    """
    from qml_daemon.manual import address_of
    from quantum_mlops.errors import UserError

    if not finding:
        raise UserError("an alert's id has at least one digit; see: quantum-mlops alerts")
    group_config, group_json = context.obj
    found = _configure(config or group_config)
    findings, deliveries = _read(found)
    matching = [one for one in findings if one.finding_id.startswith(finding)]
    if not matching:
        raise UserError(f"no alert's id starts with {finding!r}; see: quantum-mlops alerts")
    if len(matching) > 1:
        raise UserError(f"{len(matching)} alerts start with {finding!r}; give more digits")
    told = [one for one in deliveries if matching[0].finding_id in one.findings]
    link = address_of(matching[0].rule, found.http.external_url)
    if as_json or group_json:
        import msgspec

        print(msgspec.json.encode({"alert": matching[0], "deliveries": told, "link": link}).decode())
        return
    from qml_daemon.cli.finding_text import delivery_line, evidence_lines, finding_lines, silence_command
    from qml_daemon.plain_text import safe

    about = [] if link is None else [f"what it means, what to check: {link}"]
    about += [f"make it quiet: {safe(silence_command(matching[0]))}"] if matching[0].status == "firing" else []
    print("\n".join([*finding_lines(matching[0]), *about, *evidence_lines(matching[0])]))
    print("\n".join(["deliveries:", *(f"  {delivery_line(one)}" for one in told)] if told else ["deliveries: none"]))


def _configure(config: Path | None) -> "Config":
    from qml_daemon.configuration import read_config

    return read_config(config, os.environ)


def _read(found: "Config") -> "tuple[list[FindingHistory], list[Delivery]]":
    from qml_daemon.deliveries import read_deliveries
    from qml_daemon.firing import read_firing
    from qml_daemon.history import open_store, read_findings
    from qml_daemon.places import OUTBOX

    reader = open_store(found)
    try:
        # The outbox first: a finding that closes meanwhile is then closed in the log, which counts.
        deliveries = read_deliveries(found.state_dir / OUTBOX)
        firing = read_firing(found.state_dir / OUTBOX)
        findings = read_findings(reader)
    finally:
        reader.close()
    known = {one.finding_id for one in findings}
    return [*(one for one in firing if one.finding_id not in known), *findings], deliveries


def _show_troubles(deliveries: "list[Delivery]", status: str) -> None:
    by_receiver: dict[tuple[str, str], list[Delivery]] = {}
    for one in deliveries:
        by_receiver.setdefault((one.receiver, one.kind), []).append(one)
    for (receiver, kind), some in by_receiver.items():
        last = next((one.error for one in reversed(some) if one.error), None)
        print(f"{len(some)} notifications to {receiver} ({kind}) {status}" + (f"; last error: {last}" if last else ""))
