"""`quantum-mlops ship`."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer


def ship_spool(
    spool: Annotated[
        Path | None,
        typer.Option("--spool", metavar="DIR", help="The spool to ship; else where this user's programs write."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", metavar="URL", help="The service, Kafka or MQTT broker; else QML_TARGET."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all that can be read is sent.")] = False,
    give_up_after: Annotated[
        float, typer.Option("--give-up-after", min=0, help="With --once: seconds to try a service that is away.")
    ] = 60.0,
) -> int:
    """Ship a spool to a service, Kafka or MQTT, also what the dead left in it; until SIGTERM or Ctrl-C, or --once.

    \b
    A segment is removed when the service has it and its writer is gone or went on to the next.
    What the service rejects is kept in DIR/.shipping/rejected.jsonl. Refused while a daemon reads DIR.
    The token comes from QML_TOKEN or QML_TOKEN_FILE, what Kafka and MQTT need from QML_KAFKA_... and QML_MQTT_...,
    never from an argument.

    \b
    Exit codes: 0 all is sent, 1 something is left, 2 a mistake that waiting does not mend (token, address).

    \b
    Examples:
      quantum-mlops ship --target https://monitor.example --spool /var/spool/quantum-mlops
      quantum-mlops ship --once --give-up-after 300 --target https://monitor.example
      quantum-mlops ship --target kafka://broker-1:9092,broker-2:9092
      quantum-mlops ship --target mqtts://broker.lab
      QML_TOKEN_FILE=/run/secrets/qml quantum-mlops ship --spool /shared/spool --target http://monitor:8765
    """
    from qml_daemon.shipping.sidecar import Sidecar
    from quantum_mlops.errors import ConfigError, PermanentError, UserError
    from quantum_mlops.sdk.settings import read_settings
    from quantum_mlops.shipping.address import TARGETS, parse_target
    from quantum_mlops.shipping.connection import make_connection

    place = target or os.environ.get("QML_TARGET", "")
    if not place.startswith(TARGETS):
        raise UserError(
            "ship needs the address of a service: --target https://host, kafka://host:9092 or mqtts://host, "
            "or QML_TARGET"
        )
    address = parse_target(place)
    folder = spool or Path(read_settings(os.environ, None, place).spool)
    if once and not folder.exists() and folder.parent.is_dir():
        print(f"quantum-mlops ship: {folder}: nothing was ever written here", file=sys.stderr)
        return 0
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the one that your programs write to, with --spool")

    def say(text: str) -> None:
        print(f"quantum-mlops ship: {text}", file=sys.stderr, flush=True)

    sidecar = Sidecar(folder, make_connection(address, os.environ, folder), say)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        sidecar.stop.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    say(f"{folder} to {address}")
    try:
        left = sidecar.run(once=once, give_up_seconds=give_up_after)
    except (PermanentError, ConfigError) as error:
        raise UserError(f"{address} {error}" if isinstance(error, PermanentError) else str(error)) from error
    finally:
        sidecar.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    counts = sidecar.counts
    rest = f", {-(-left.size_bytes // 1024)} KiB left" if left.size_bytes else ""
    why = f" ({left.trouble})" if left.trouble is not None else ""
    busy = f", {left.busy} running programs ship their own" if left.busy else ""
    done = f"{counts.acknowledged} events sent, {counts.rejected} rejected, {counts.removed} segments done"
    say(f"{done}{rest}{why}{busy}")
    return 1 if left.size_bytes and left.trouble is not None else 0
