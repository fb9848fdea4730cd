"""`quantum-mlops dead-letters retry`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.letter_options import OriginOption, ReasonOption, SinceOption, configure, find_one, wanted_by
from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.dead_letters.letter import Letter
    from qml_daemon.dead_letters.retry import Retried
    from qml_daemon.dead_letters.shelf import Shelf
    from quantum_mlops.config.sections import Config

_MOST_TOLD = 20


def retry_letters(
    *,
    letters: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="PARTITION/OFFSET, as listed.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that match the filters, instead of IDs.")] = False,
    origin: OriginOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were put back in before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Put dead letters back in at the end of the events: through the running daemon, else into its log.

    \b
    What can go in are events that no processor has seen: bytes that this version reads, events the
    spool refused. What a processor raised on stays: the other processors have applied it, and in the log again it
    would be dropped as a duplicate. What was put in is marked, and not put in again.

    \b
    Exit codes: 0 all went in (or nothing matches), 1 some stay, each is named with its reason, 2 a mistake.

    \b
    Examples:
      quantum-mlops dead-letters retry 0/17
      quantum-mlops dead-letters retry --all --reason 'unknown field' --dry-run
    """
    from qml_daemon.dead_letters.letter import read_letters
    from qml_daemon.dead_letters.shelf import open_shelf
    from quantum_mlops.errors import UserError

    if bool(letters) == every:
        raise UserError("name the letters, or take --all that match; see: quantum-mlops dead-letters list")
    if letters and (origin or reason or since):
        raise UserError("--origin, --reason and --since belong to --all")
    found = configure(config)
    with open_shelf(found) as shelf:
        if letters:
            chosen = [find_one(shelf, one) for one in dict.fromkeys(letters)]
        else:
            marks = shelf.marks.read()
            chosen = [
                one
                for one in read_letters(shelf.log, marks, wanted_by(origin, reason, since))
                if again or one.retried is None
            ]
        done = _put_back(found, shelf, chosen, again=again, dry_run=dry_run)
    if as_json:
        import msgspec

        print(msgspec.json.encode({"put_back": not dry_run, **msgspec.structs.asdict(done)}).decode())
    else:
        _tell(done, dry_run=dry_run)
    return 1 if done.refused else 0


def _put_back(found: "Config", shelf: "Shelf", chosen: "list[Letter]", *, again: bool, dry_run: bool) -> "Retried":
    from qml_daemon.cli.api import call_daemon
    from qml_daemon.cli.running import find_daemon
    from qml_daemon.dead_letters.retry import forget_gone, judge_letters, put_back
    from qml_daemon.dead_letters.shelf import open_door
    from quantum_mlops.clock import system_clock

    judged = judge_letters(chosen, system_clock(), again=again)
    if dry_run or not judged.waiting:
        return judged.as_told()
    with open_door(found, shelf, find_daemon(found.state_dir), call_daemon) as door:
        done = put_back(judged, door, shelf.marks, system_clock)
    forget_gone(shelf.log, shelf.marks)
    return done


def _tell(done: "Retried", *, dry_run: bool) -> None:
    from qml_daemon.plain_text import safe

    for one in done.refused[:_MOST_TOLD]:
        print(f"{one.id} stays: {safe(one.reason)}", file=sys.stderr)
    if len(done.refused) > _MOST_TOLD:
        print(f"… and {len(done.refused) - _MOST_TOLD} more; all with --json", file=sys.stderr)
    print(f"{len(done.taken)} {'would go' if dry_run else 'put'} back in, {len(done.refused)} stay")
