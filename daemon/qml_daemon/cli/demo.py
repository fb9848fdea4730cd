"""`quantum-mlops demo`."""

from pathlib import Path
from typing import Annotated

import typer


def run_demo(  # noqa: PLR0917 - one parameter an option
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="Everything is written there.")] = Path(
        "build/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the training, never of the shots.")] = 1,
    backend: Annotated[str, typer.Option(help="hanoi or sherbrooke.")] = "hanoi",
    qubits: Annotated[str, typer.Option(help="Four physical qubits in a line.")] = "0-1-2-3",
    before: Annotated[str, typer.Option(help="Date of the first calibration.")] = "2021-12-09",
    after: Annotated[str, typer.Option(help="Date of the calibration after the change.")] = "2024-04-16",
    change_at: Annotated[str, typer.Option(metavar="STEP|never", help="When the device changes.")] = "100",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the daemon up afterwards.")] = False,
    kafka: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Through this Kafka: topics of its own, two workers, one of them killed on the way.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Watch a real training job on a recorded device that goes bad, and show the alert; about a minute.

    \b
    Trains a classifier on iris, on a recorded IBM device that is recalibrated on the way. Nothing tells
    the daemon; it sees the spool only. The alert arrives at a local receiver that speaks Slack's protocol.
    Exit code 1 if an alert should have come and did not.

    \b
    Examples:
      quantum-mlops demo
      quantum-mlops demo --qubits 19-22-25-24            a quiet part of the device: no alert
      quantum-mlops demo --change-at never               nothing changes: no alert
      quantum-mlops demo --keep                          leaves the daemon up
      quantum-mlops demo --kafka 127.0.0.1:9092          the same through Kafka, and a worker is killed
    """
    from qml_daemon.demo.play import Play, play

    return play(
        Play(
            folder=folder,
            seed=seed,
            backend=backend,
            qubits=qubits,
            before=before,
            after=after,
            change_at=change_at,
            keep=keep,
            kafka=kafka,
        )
    )
