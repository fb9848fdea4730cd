"""`quantum-mlops runs`."""

from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.query.resources import Run


def list_runs(
    *,
    project: Annotated[str | None, typer.Option("--project", help="Only this project.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only running, silent, completed, failed or cancelled ones.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="First seen since: a time (RFC 3339) or a duration.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Most runs to show.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first: how they stand, their last step, their jobs.

    \b
    Examples:
      quantum-mlops runs
      quantum-mlops runs --status failed --project iris
      quantum-mlops runs --since 7d
      quantum-mlops runs --json | jq '.items[].name'
    """
    from qml_daemon.cli.listing import read_page

    wanted = {"project": project, "status": status, "since": since, "limit": limit}
    page = read_page(config, "runs", wanted)
    if as_json:
        import msgspec

        print(msgspec.json.encode(page).decode())
        return
    for run in page.items:
        print(_line(run))
    more = "; there are more (--limit)" if page.next is not None else ""
    print(f"{len(page.items)} run{'' if len(page.items) == 1 else 's'}{more}")


def _line(run: "Run") -> str:
    from qml_daemon.cli.terminal import paint
    from qml_daemon.plain_text import safe

    colour = {"completed": "green", "failed": "red", "silent": "yellow", "cancelled": "yellow"}.get(run.status, "blue")
    jobs = " ".join(f"{count} {status}" for status, count in run.jobs.items())
    parts = [
        run.seen[:19].replace("T", " "),
        paint(f"{run.status:<9}", colour),
        paint(safe(run.name or "(unnamed)"), "bold"),
        safe(run.id),
        f"project={safe(run.project)}" if run.project else "",
        "" if run.step is None else f"step={run.step}",
        f"jobs: {jobs}" if jobs else "",
        f"{safe(run.failure_code)}: {safe(run.failure_message or '')[:120]}" if run.failure_code else "",
    ]
    return "  ".join(part for part in parts if part)
