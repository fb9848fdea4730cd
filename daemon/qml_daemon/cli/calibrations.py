"""`quantum-mlops calibrations import`, `poll` and `list`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.calibrations.outlet import CalibrationOutlet
    from qml_daemon.calibrations.poller import CalibrationPoller, Look
    from qml_producers.calibrations.recorded import Recorded

_HELP = """What providers say of their devices.

\b
Examples:
  quantum-mlops calibrations list
  quantum-mlops calibrations poll --once
  quantum-mlops calibrations import recorded/*.json
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)

ProjectOption = Annotated[
    str | None, typer.Option("--project", "-p", help="Owner of the events; else QML_PROJECT.", show_default=False)
]
TargetOption = Annotated[
    str | None, typer.Option("--target", "-t", metavar="TARGET", help="Where to; else QML_TARGET, else spool:")
]


@app.callback()
def _calibrations() -> None:
    """Bring calibrations into the log, and list which are in force."""


@app.command("import")
def import_recorded(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recorded calibrations, JSON.")],
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help="The device, where the file does not say it.")
    ] = None,
    project: ProjectOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> int:
    """Import recorded calibrations, each at its own date.

    \b
    Taken are IBM's properties (`backend.properties().to_dict()` as JSON), IonQ's characterizations and the properties
    of a Braket device (name that one by --backend). They go by the spool, like the events of any program. What was
    imported within the last 30 days is dropped when it comes again, so that importing a folder twice adds nothing.

    \b
    Exit codes: 0 all is sent, 1 something waits in the spool, 2 a file is no calibration (the others are imported).

    \b
    Examples:
      quantum-mlops calibrations import hanoi__2024-04-16.json
      quantum-mlops calibrations import recorded/*.json --json
      quantum-mlops calibrations import garnet.json --backend arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet
    """
    from qml_daemon.calibrations.outlet import CalibrationOutlet, new_nonce
    from quantum_mlops.sdk.notice import Notices
    from quantum_mlops.sdk.settings import read_settings
    from quantum_mlops.sdk.shipping import Outbound

    settings = read_settings(os.environ, project, target)
    if not settings.enabled:
        print("quantum-mlops calibrations: QML_DISABLED is set; nothing is imported", file=sys.stderr)
        return 0
    nonce = new_nonce()
    outbound = Outbound(settings, nonce, Notices())
    outlet = CalibrationOutlet(settings, nonce)
    try:
        done = [_import_one(outlet, settings.project, file, backend, as_json=as_json) for file in files]
    finally:
        try:
            outlet.close()
        finally:
            left = outbound.finish(ended=True)
    wrong = sum("error" in one for one in done)
    if as_json:
        import json

        print(json.dumps(done))
    else:
        events = sum(one.get("events", 0) for one in done)
        print(f"{len(done) - wrong} calibrations in {events} events taken, {wrong} files wrong")
    return 2 if wrong else 1 if left else 0


@app.command("poll")
def poll_calibrations(
    *,
    provider: Annotated[
        list[str] | None, typer.Option("--provider", metavar="NAME", help="Only this one; more than once for several.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", metavar="NAME", help="This device (needs one --provider); else those of the log."),
    ] = None,
    interval: Annotated[str, typer.Option("--interval", metavar="DURATION", help="Between two readings.")] = "15m",
    once: Annotated[bool, typer.Option("--once", help="Read each device once, then end.")] = False,
    project: ProjectOption = None,
    target: TargetOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each reading as JSON, one a line.")] = False,
) -> int:
    """Read the devices' calibrations from their providers; only changes become events.

    \b
    Devices are those on which the jobs of the log ran (looked up every minute), each told to the projects that use it,
    or those named by --backend. The credentials are this machine's own, as for `quantum-mlops follow`. Until SIGTERM
    or Ctrl-C, or --once. Beside a daemon with [follower] enabled this is done already ([follower] calibrations = "15m",
    "0" for never).

    \b
    Exit codes: 0 ended as asked, 1 with --once a device could not be read, 2 no such provider, credentials or log.

    \b
    Examples:
      quantum-mlops calibrations poll
      quantum-mlops calibrations poll --once --provider ibm --backend ibm_fez
      quantum-mlops calibrations poll --interval 1h --json
    """
    from qml_daemon.calibrations.session import Wish, open_poller
    from qml_daemon.configuration import read_config
    from qml_daemon.following.notices import say_notices
    from quantum_mlops.sdk.notice import Notices
    from quantum_mlops.sdk.settings import read_settings
    from quantum_mlops.sdk.shipping import Outbound

    settings = read_settings(os.environ, project, target)
    owner = project or os.environ.get("QML_PROJECT") or None
    wish = Wish(providers=provider, backends=backend, project=owner, interval=interval)
    show = _print_json if as_json else _print_look
    nonce, poller = open_poller(read_config(config, os.environ), os.environ, settings, wish, show)
    outbound = Outbound(settings, nonce, Notices())
    try:
        with say_notices("quantum-mlops calibrations: %(message)s"):
            looks = _run(poller, once=once)
    finally:
        try:
            poller.close()
        finally:
            outbound.finish(ended=True)
    if once and not looks:
        print(
            "quantum-mlops calibrations: no device to read; name one: --provider NAME --backend NAME", file=sys.stderr
        )
    return 1 if once and (not looks or any(look.error for look in looks)) else 0


@app.command("list")
def list_calibrations(
    project: Annotated[str | None, typer.Option("--project", help="Only this project.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Most devices to show.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices that the log knows, each with the calibration in force and its time.

    \b
    Examples:
      quantum-mlops calibrations list
      quantum-mlops calibrations list --json | jq '.[] | select(.calibration_time < "2026-11-20")'
    """
    from qml_daemon.cli.listing import read_page
    from qml_daemon.plain_text import safe

    page = read_page(config, "backends", {"project": project, "limit": limit})
    known = [one for one in page.items if one.calibration_id is not None]
    if as_json:
        import msgspec

        fields = ("id", "project", "provider", "qubits", "calibration_id", "calibration_time")
        print(msgspec.json.encode([{name: getattr(one, name) for name in fields} for one in known]).decode())
        return
    for one in known:
        parts = [
            (one.calibration_time or "")[:19].replace("T", " "),
            safe(one.id),
            safe(one.provider or ""),
            "" if one.qubits is None else f"{one.qubits} qubits",
            safe(one.calibration_id or ""),
            f"project={safe(one.project)}",
        ]
        print("  ".join(part for part in parts if part))
    plural, without = "" if len(known) == 1 else "s", len(page.items) - len(known)
    print(f"{len(known)} device{plural} with a calibration, {without} without")


def _import_one(
    outlet: "CalibrationOutlet", project: str, file: Path, backend: str | None, *, as_json: bool
) -> dict[str, Any]:
    from qml_daemon.calibrations.outlet import source_of
    from quantum_mlops.errors import UserError
    from quantum_mlops.timestamps import format_time

    try:
        found = _read(file, backend)
    except UserError as error:
        print(f"quantum-mlops calibrations: {error}", file=sys.stderr)
        return {"file": str(file), "error": str(error)}
    source = source_of("recorded", project, found.facts)
    events = outlet.send(source, project, found.time, found.snapshots())
    done = {
        "file": str(file),
        "backend": found.backend,
        "provider": found.provider,
        "time": format_time(found.time),
        "calibration_id": found.calibration_id,
        "events": events,
    }
    if not as_json:
        from qml_daemon.plain_text import safe

        date, count = format_time(found.time)[:19], f"{events} event{'' if events == 1 else 's'}"
        print(f"{date}Z  {safe(found.backend)}  {found.calibration_id}  {count}  {safe(str(file))}")
    return done


def _read(file: Path, backend: str | None) -> "Recorded":
    from qml_producers.calibrations.recorded import MAX_BYTES, parse_recorded
    from quantum_mlops.errors import UserError

    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    return parse_recorded(data, str(file), backend)


def _run(poller: "CalibrationPoller", *, once: bool) -> "Iterable[Look]":
    import signal
    from types import FrameType

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        poller.halt()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if once:
            return poller.run_once()
        poller.run()
        return []
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_json(look: "Look") -> None:
    import msgspec

    print(msgspec.json.encode(look).decode(), flush=True)


def _print_look(look: "Look") -> None:
    from qml_daemon.plain_text import safe

    said = f"changed: {look.calibration_id}" if look.events else "not read" if look.error else "as before"
    reason = f"  {safe(look.error)}" if look.error else ""
    print(f"{safe(look.provider)}  {safe(look.backend)}  {said}{reason}", flush=True)
