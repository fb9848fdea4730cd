"""`quantum-mlops follow`."""

import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption

if TYPE_CHECKING:
    from qml_daemon.following.status import FollowerStatus
    from qml_daemon.following.worker import Follower
    from quantum_mlops.events import Event


def follow_jobs(
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--provider", metavar="NAME", help="Only this one, more than once for several; else as configured, or all."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Ask for each open job once, then end.")] = False,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as CloudEvents JSON, one a line.")] = False,
) -> int:
    """Follow the open jobs of the log to their end and their bill, also after their trainer is gone.

    \b
    Asks the providers (ibm, braket, ionq) with this machine's own credentials, taken from where their SDKs take them:
      ibm     QISKIT_IBM_TOKEN, or the account saved by qiskit-ibm-runtime
      braket  AWS_PROFILE, AWS_ACCESS_KEY_ID, ..., or ~/.aws
      ionq    IONQ_API_KEY
    What they say goes into the spool, with the project, run and step of the job's own events; the daemon takes it from
    there. Prints a line for each event, notices on stderr. Until SIGTERM or Ctrl-C, or --once.
    The daemon runs it by itself with [follower] enabled = true; then this one is refused.

    \b
    Configuration, with the defaults:
      [follower]
      enabled = false            let the daemon run it
      providers = ["ibm", ...]   all that are installed
      interval = "10s"           least time between two looks at one job; it grows with the job's age
      calls_per_minute = 60      to one provider
      max_jobs = 1000            then the oldest are followed no longer
      timeout = "30s"            of one call

    \b
    Exit codes: 0 ended as asked, 1 with --once a provider could not be asked, 2 no log, credentials or such provider.

    \b
    Examples:
      quantum-mlops follow
      quantum-mlops follow --once --provider ibm
      QISKIT_IBM_TOKEN=... quantum-mlops follow --json | jq 'select(.type | contains("billed")) | .data.cost.final'
      QML_FOLLOWER__ENABLED=true quantum-mlops daemon
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.following.notices import say_notices
    from qml_daemon.following.session import open_follower

    settings = read_config(config, os.environ)
    with say_notices("quantum-mlops follow: %(message)s"):
        follower = open_follower(settings, os.environ, _print_json if as_json else _print_line, provider)
        status = _run(follower, once=once)
    print(f"quantum-mlops follow: {_sum_up(status)}", file=sys.stderr)
    troubled = status.fault or any(one.errors or one.refusals for one in status.providers.values())
    return 1 if once and troubled else 0


def _run(follower: "Follower", *, once: bool) -> "FollowerStatus":
    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        follower.halt()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        follower.run(once=once)
        return follower.status("stopped")
    finally:
        follower.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_json(event: "Event") -> None:
    from quantum_mlops.codec import encode

    print(encode(event).decode(), flush=True)


def _print_line(event: "Event") -> None:
    from qml_daemon.plain_text import safe
    from quantum_mlops.events import Job, short_name
    from quantum_mlops.timestamps import format_time

    job = event.data
    if not isinstance(job, Job):
        return
    kind = (short_name(event.type) or event.type).removeprefix("job.")
    cost = None if job.cost is None else job.cost.final
    parts = [
        format_time(event.time)[:19].replace("T", " "),
        f"{kind:<9}",
        safe(job.job_id),
        safe(job.backend or job.provider or ""),
        f"project={safe(event.project)}",
        f"run={safe(event.context.runid)}" if event.context.runid else "",
        "" if job.qpu_seconds is None else f"{job.qpu_seconds:g} s on the device",
        "" if cost is None else f"{cost.amount} {cost.currency}",
        "" if job.failure is None else safe(f"{job.failure.code}: {job.failure.message}"[:200]),
        safe(job.status_text) if job.status_text else "",
    ]
    print("  ".join(part for part in parts if part), flush=True)


def _sum_up(status: "FollowerStatus") -> str:
    told = (
        ", ".join(f"{count} {kind.removeprefix('job.')}" for kind, count in sorted(status.told.items()))
        or "nothing new"
    )
    known = {name: one for name, one in status.providers.items() if one.open_jobs or one.unbilled_jobs or one.looks}
    left = ", ".join(f"{name} {one.open_jobs} open and {one.unbilled_jobs} unbilled" for name, one in known.items())
    return f"{told}; {left or 'no open jobs'}"
