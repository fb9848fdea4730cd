"""`quantum-mlops dead-letters list` and `show`; `retry` is in letter_retry."""

from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli import letter_retry
from qml_daemon.cli.letter_options import OriginOption, ReasonOption, SinceOption, configure, find_one, wanted_by
from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.dead_letters.letter import Letter

app = typer.Typer(
    help="What could not be processed, and why; list, show, retry.", no_args_is_help=True, rich_markup_mode=None
)
_MOST_KINDS = 10


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
    with open_shelf(configure(config)) as shelf:
        for number, letter in enumerate(read_letters(shelf.log, shelf.marks.read(), wanted_by(origin, reason, since))):
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

    with open_shelf(configure(config)) as shelf:
        found = find_one(shelf, letter)
    event = read_event(found, system_clock())
    stays = event if isinstance(event, str) else None
    if as_json:
        import msgspec

        print(msgspec.json.encode({"letter": found, "stays": stays}).decode())
        return 0
    from qml_daemon.cli.letter_text import letter_lines

    print("\n".join(letter_lines(found, stays)))
    return 0


app.command("retry")(letter_retry.retry_letters)


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
