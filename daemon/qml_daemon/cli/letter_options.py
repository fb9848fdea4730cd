"""What the commands on dead letters share: filters, and one letter by its id."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qml_daemon.dead_letters.letter import Letter, Wanted
    from qml_daemon.dead_letters.shelf import Shelf
    from quantum_mlops.config.sections import Config

OriginOption = Annotated[
    str | None, typer.Option("--origin", metavar="TEXT", help="Only from there: spool, log, processor:drift, …")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only where the reason holds this.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DURATION|TIME", help="Only since then (7d, or RFC 3339).")
]


def configure(config: Path | None) -> "Config":
    """Return the configuration. Raises ConfigError."""
    from qml_daemon.configuration import read_config

    return read_config(config, os.environ)


def wanted_by(origin: str | None, reason: str | None, since: str | None) -> "Wanted":
    """Return the filter that options name. Raises UserError."""
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.dead_letters.letter import Wanted
    from quantum_mlops.clock import system_clock

    start = 0 if since is None else read_moment(since, system_clock(), "--since")
    return Wanted(origin=origin, reason=reason, since=start)


def find_one(shelf: "Shelf", text: str) -> "Letter":
    """Return the letter with this id. Raises UserError."""
    from qml_daemon.dead_letters.letter import find_letter, parse_place
    from quantum_mlops.errors import UserError

    place = parse_place(text)
    if place is None:
        raise UserError(f"{text!r} is no dead letter's id: PARTITION/OFFSET; see: quantum-mlops dead-letters list")
    found = find_letter(shelf.log, shelf.marks.read(), *place)
    if found is None:
        raise UserError(f"there is no dead letter {text} (any more); see: quantum-mlops dead-letters list")
    return found
