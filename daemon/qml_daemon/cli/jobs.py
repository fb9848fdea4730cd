"""`quantum-mlops jobs`."""

from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.query.resources import Job


def list_jobs(
    *,
    project: Annotated[str | None, typer.Option("--project", help="Only this project.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Only this run.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="Only this backend.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only created, queued, running, completed, failed, … ones.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="First seen since: a time (RFC 3339) or a duration.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Most jobs to show.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first: how they stand, where they ran, what they cost.

    Times are UTC, when the log first saw a job. `9 x 1000 shots` are 9 executions of circuits with 1000 shots each.

    \b
    Examples:
      quantum-mlops jobs
      quantum-mlops jobs --backend ibm_hanoi --status failed
      quantum-mlops jobs --since 7d
      quantum-mlops jobs --json | jq '.items[] | [.id, .queue_seconds, .qpu_seconds, .cost_final.amount]'
    """
    from qml_daemon.cli.listing import read_page

    wanted = {
        "project": project,
        "run": run,
        "backend": backend,
        "status": status,
        "since": since,
        "limit": limit,
    }
    page = read_page(config, "jobs", wanted)
    if as_json:
        import msgspec

        print(msgspec.json.encode(page).decode())
        return
    for job in page.items:
        print(_line(job))
    more = "; there are more (--limit)" if page.next is not None else ""
    print(f"{len(page.items)} job{'' if len(page.items) == 1 else 's'}{more}")


def _line(job: "Job") -> str:
    from qml_daemon.cli.terminal import paint
    from qml_daemon.plain_text import safe

    status = job.status or "(no status)"
    colour = {"completed": "green", "failed": "red", "cancelled": "yellow", "unknown": "yellow"}.get(status, "blue")
    cost = job.cost_final or job.cost_reserved or job.cost_estimated
    parts = [
        job.seen[:19].replace("T", " "),
        paint(f"{status:<9}", colour),
        paint(safe(job.id), "bold"),
        safe(job.backend) if job.backend else "",
        f"run={safe(job.run)}" if job.run else "",
        "" if job.step is None else f"step={job.step}",
        _work(job),
        "" if job.queue_seconds is None else f"{job.queue_seconds:.6g} s in the queue",
        "" if job.qpu_seconds is None else f"{job.qpu_seconds:.6g} s on the device",
        "" if cost is None else f"{cost.amount} {cost.currency}" + ("" if job.cost_final else " (not final)"),
        f"{safe(job.failure_code)}: {safe(job.failure_message or '')[:120]}" if job.failure_code else "",
        *(paint(f"warning: {safe(word)}", "yellow") for word in job.warnings),
    ]
    return "  ".join(part for part in parts if part)


def _work(job: "Job") -> str:
    """Return what is executed: `9 x 1000 shots`, as far as it is known."""
    shots = job.shots_requested if job.shots_executed is None else job.shots_executed
    if shots is None:
        return "" if job.executions is None else f"{job.executions} execution{'' if job.executions == 1 else 's'}"
    return f"{shots} shots" if job.executions in {None, 1} else f"{job.executions} x {shots} shots"
