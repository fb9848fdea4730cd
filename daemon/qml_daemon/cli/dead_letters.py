"""`quantum-mlops dead-letters list`, `show` and `retry`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.dead_letters.letter import Letter, Wanted
    from qml_daemon.dead_letters.retry import Retried
    from qml_daemon.dead_letters.shelf import Shelf
    from quantum_mlops.config.sections import Config

app = typer.Typer(
    help="What could not be processed, and why; list, show, retry.", no_args_is_help=True, rich_markup_mode=None
)
_MOST_KINDS = 10
_MOST_TOLD = 20

OriginOption = Annotated[
    str | None, typer.Option("--origin", metavar="TEXT", help="Only from there: spool, log, processor:drift, …")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only where the reason holds this.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DURATION|TIME", help="Only since then (7d, or RFC 3339).")
]


@app.callback()
def _dead_letters() -> None:
    """See `list`."""


@app.command("list")
def list_letters(
    *,
    origin: OriginOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Most letters to show.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """List dead letters, the newest last, and how many there are of each kind.

    \b
    Examples:
      quantum-mlops dead-letters list
      quantum-mlops dead-letters list --origin processor --since 7d
      quantum-mlops dead-letters list --json | jq '.kinds'
    """
    import heapq

    from qml_daemon.dead_letters.counting import Tally
    from qml_daemon.dead_letters.letter import read_letters
    from qml_daemon.dead_letters.shelf import open_shelf

    tally = Tally()
    newest: list[tuple[int, int, Letter]] = []
    with open_shelf(_configure(config)) as shelf:
        for number, letter in enumerate(read_letters(shelf.log, shelf.marks.read(), _wanted(origin, reason, since))):
            tally.add(letter)
            push = heapq.heappush if len(newest) < limit else heapq.heappushpop
            push(newest, (letter.time, number, letter))
    letters = [letter for _, _, letter in sorted(newest, key=lambda one: one[:2])]
    kinds = tally.kinds()
    if as_json:
        import msgspec

        print(msgspec.json.encode({"total": tally.total, "kinds": kinds, "letters": letters}).decode())
        return 0
    for letter in letters:
        print(_line(letter))
    if tally.total > len(letters):
        print(f"the last {len(letters)} of {tally.total:,} (--limit)")
    from qml_daemon.plain_text import safe

    for kind in kinds[:_MOST_KINDS]:
        print(f"{kind.count:>8,}  {safe(kind.origin)}: {safe(kind.reason)}")
    rest = tally.total - sum(kind.count for kind in kinds[:_MOST_KINDS])
    if rest:
        print(f"{rest:>8,}  of other kinds")
    print(f"{tally.total:,} dead letter{'' if tally.total == 1 else 's'}")
    return 0


@app.command("show")
def show_letter(
    letter: Annotated[str, typer.Argument(metavar="ID", help="PARTITION/OFFSET, as `list` prints it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show one dead letter whole: where it comes from, why, its bytes, and whether it can go back in.

    \b
    Examples:
      quantum-mlops dead-letters show 0/17
      quantum-mlops dead-letters show 0/17 --json | jq -r .letter.data | base64 -d
    """
    from qml_daemon.dead_letters.retry import read_event
    from qml_daemon.dead_letters.shelf import open_shelf
    from quantum_mlops.clock import system_clock

    with open_shelf(_configure(config)) as shelf:
        found = _find(shelf, letter)
    event = read_event(found, system_clock())
    stays = event if isinstance(event, str) else None
    if as_json:
        import msgspec

        print(msgspec.json.encode({"letter": found, "stays": stays}).decode())
        return 0
    from qml_daemon.cli.letter_text import letter_lines

    print("\n".join(letter_lines(found, stays)))
    return 0


@app.command("retry")
def retry(
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
    found = _configure(config)
    with open_shelf(found) as shelf:
        if letters:
            chosen = [_find(shelf, one) for one in dict.fromkeys(letters)]
        else:
            marks = shelf.marks.read()
            chosen = [
                one
                for one in read_letters(shelf.log, marks, _wanted(origin, reason, since))
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
    from qml_daemon.dead_letters.retry import forget_gone, judge_letters, retry_letters
    from qml_daemon.dead_letters.shelf import open_door
    from quantum_mlops.clock import system_clock

    judged = judge_letters(chosen, system_clock(), again=again)
    if dry_run or not judged.waiting:
        return judged.as_told()
    with open_door(found, shelf, find_daemon(found.state_dir), call_daemon) as door:
        done = retry_letters(judged, door, shelf.marks, system_clock)
    forget_gone(shelf.log, shelf.marks)
    return done


def _tell(done: "Retried", *, dry_run: bool) -> None:
    from qml_daemon.plain_text import safe

    for one in done.refused[:_MOST_TOLD]:
        print(f"{one.id} stays: {safe(one.reason)}", file=sys.stderr)
    if len(done.refused) > _MOST_TOLD:
        print(f"… and {len(done.refused) - _MOST_TOLD} more; all with --json", file=sys.stderr)
    print(f"{len(done.taken)} {'would go' if dry_run else 'put'} back in, {len(done.refused)} stay")


def _configure(config: Path | None) -> "Config":
    from qml_daemon.configuration import read_config

    return read_config(config, os.environ)


def _wanted(origin: str | None, reason: str | None, since: str | None) -> "Wanted":
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.dead_letters.letter import Wanted
    from quantum_mlops.clock import system_clock

    start = 0 if since is None else read_moment(since, system_clock(), "--since")
    return Wanted(origin=origin, reason=reason, since=start)


def _find(shelf: "Shelf", text: str) -> "Letter":
    from qml_daemon.dead_letters.letter import find_letter, parse_place
    from quantum_mlops.errors import UserError

    place = parse_place(text)
    if place is None:
        raise UserError(f"{text!r} is no dead letter's id: PARTITION/OFFSET; see: quantum-mlops dead-letters list")
    found = find_letter(shelf.log, shelf.marks.read(), *place)
    if found is None:
        raise UserError(f"there is no dead letter {text} (any more); see: quantum-mlops dead-letters list")
    return found


def _line(letter: "Letter") -> str:
    from qml_daemon.cli.finding_text import utc
    from qml_daemon.cli.terminal import paint
    from qml_daemon.plain_text import safe

    key = "" if letter.key is None else safe(f"({letter.key[0]}, {letter.key[1]})")
    parts = [
        paint(utc(letter.time).removesuffix(" UTC"), "dim"),
        paint(f"{letter.id:<8}", "bold"),
        paint(safe(letter.origin), "red"),
        safe(letter.reason)[:160],
        key,
        "" if letter.retried is None else paint(f"put back in {utc(letter.retried)}", "green"),
    ]
    return "  ".join(part for part in parts if part)
