"""`quantum-mlops emit`."""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qml_daemon.emission import Emission


def emit_events(
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Send one event of this type; else lines from stdin.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="JSON", help="The data of that event.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="The run that the events belong to.")] = None,
    step: Annotated[int | None, typer.Option("--step", min=0, help="The step they belong to.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Owner of the events; else QML_PROJECT.", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="TARGET", help="Where to; else QML_TARGET, else spool:")
    ] = None,
) -> int:
    """Send events from a shell: one by --type and --data, or JSON lines from stdin.

    \b
    A line is {"type": ..., "data": {...}} and may have time, runid, step, subject and the other
    attributes of an event. Types are those of the contract ("metric.logged", "job.completed") or
    your own ("com.example.note"). A bad line is named with its number, the others are sent.
    Everything is in the spool first; a service, Kafka or MQTT gets it from there (QML_TOKEN, QML_KAFKA_...,
    QML_MQTT_..., QML_FLUSH_SECONDS).

    \b
    Exit codes: 0 all is sent, 1 something waits in the spool, 2 a line or an option is wrong.

    \b
    Examples:
      quantum-mlops emit --type metric.logged --data '{"values": {"loss": 0.3}}' --run r1 --step 7
      echo '{"type": "com.example.note", "data": {"text": "cooled down"}}' | quantum-mlops emit -p iris
      tail -f train.jsonl | quantum-mlops emit --run "$SLURM_JOB_ID" --target https://monitor.example
      quantum-mlops emit --type com.example.note --target kafka://broker-1:9092
      quantum-mlops emit --type com.example.note --target mqtts://broker.lab
    """
    from qml_daemon.emission import Emission, new_nonce, read_lines
    from quantum_mlops.errors import UserError
    from quantum_mlops.sdk.notice import Notices
    from quantum_mlops.sdk.settings import read_settings
    from quantum_mlops.sdk.shipping import Outbound

    if data is not None and kind is None:
        raise UserError("--data needs --type")
    settings = read_settings(os.environ, project, target)
    if not settings.enabled:
        print("quantum-mlops emit: QML_DISABLED is set; nothing is sent", file=sys.stderr)
        return 0
    if kind is None and sys.stdin.isatty():
        print("quantum-mlops emit: reading lines from the terminal; Ctrl-D ends them, --help explains", file=sys.stderr)
    lines = enumerate(read_lines(sys.stdin.buffer), 1) if kind is None else iter([(1, _one(kind, data))])
    nonce = new_nonce()
    outbound = Outbound(settings, nonce, Notices())
    emission = Emission(settings, nonce, {"runid": run, "step": step})
    try:
        wrong = _send_all(emission, lines, numbered=kind is None)
    finally:
        try:
            emission.close()
        finally:
            left = outbound.finish(ended=True)
    return 2 if wrong else 1 if left else 0


def _one(kind: str, data: str | None) -> bytes:
    import msgspec

    from quantum_mlops.errors import UserError

    try:
        found = msgspec.json.decode(data or "{}")
    except msgspec.DecodeError as error:
        raise UserError(f"--data: {error}") from error
    return msgspec.json.encode({"type": kind, "data": found})


def _send_all(emission: "Emission", lines: Iterator[tuple[int, bytes]], *, numbered: bool) -> int:
    """Send each line; return how many are wrong."""
    from quantum_mlops.errors import UserError

    wrong = 0
    for number, line in lines:
        if not line.strip():
            continue
        try:
            emission.send(line)
        except UserError as error:
            wrong += 1
            place = f"line {number}: " if numbered else ""
            print(f"quantum-mlops emit: {place}{error}", file=sys.stderr)
    if numbered:
        print(f"quantum-mlops emit: {emission.written} events taken, {wrong} lines wrong", file=sys.stderr)
    return wrong
