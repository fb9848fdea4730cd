"""`quantum-mlops prices list`, `estimate` and `check`."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qml_daemon.cli.options import JsonOption

if TYPE_CHECKING:
    from qml_producers.prices import Book, Price, Prices, Use

_HELP = """What devices cost, by which book.

\b
Examples:
  quantum-mlops prices list
  quantum-mlops prices estimate --provider ibm --device ibm_fez --seconds 12.5
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)

ProviderOption = Annotated[str | None, typer.Option("--provider", help="Only this provider: braket, ibm, ionq, azure.")]


@app.callback()
def _prices() -> None:
    """Look at the price books: your own (QML_PRICES or prices.toml in the configuration folder), then ours."""


@app.command("list")
def list_prices(
    provider: ProviderOption = None,
    device: Annotated[str | None, typer.Option("--device", help="Only prices whose pattern fits this device.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List all prices with their sources, the book of the highest authority first.

    \b
    Examples:
      quantum-mlops prices list
      quantum-mlops prices list --device arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet
      quantum-mlops prices list --provider ibm --json
    """
    from fnmatch import fnmatchcase

    from qml_daemon.plain_text import safe
    from qml_producers.prices import Prices

    prices = Prices.open(os.environ)
    found = [
        (book, price)
        for book in prices.books
        for price in book.prices
        if provider in (None, price.provider)
        and (device is None or any(fnmatchcase(device, pattern) for pattern in price.devices))
    ]
    if as_json:
        import msgspec

        print(msgspec.json.encode([_described(book, price) for book, price in found]).decode())
    else:
        for book, price in found:
            print(_line(book, price))
        for label, source in dict.fromkeys((book.label, price.source or book.source) for book, price in found):
            print(safe(f"{label}: {source or 'no source given'}"))
        print(f"{len(found)} price{'' if len(found) == 1 else 's'}; what is not here is unknown, not free")
    _warn(prices)


@app.command("estimate")
def estimate_cost(
    *,
    provider: Annotated[str, typer.Option("--provider", help="Whose device: braket, ibm, ionq, azure, …")],
    device: Annotated[str, typer.Option("--device", help="The device's own name, as jobs carry it.")],
    shots: Annotated[int | None, typer.Option("--shots", min=0, help="Shots of each execution.")] = None,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Submissions that are billed as one.")] = 1,
    executions: Annotated[
        int | None, typer.Option("--executions", min=1, help="Circuit executions of all tasks; else one a task.")
    ] = None,
    seconds: Annotated[str | None, typer.Option("--seconds", help="Billed seconds of all tasks together.")] = None,
    one_qubit_gates: Annotated[
        int | None, typer.Option("--one-qubit-gates", min=0, help="One-qubit gates, summed over the executions.")
    ] = None,
    two_qubit_gates: Annotated[
        int | None, typer.Option("--two-qubit-gates", min=0, help="Two-qubit gates, summed over the executions.")
    ] = None,
    error_mitigation: Annotated[
        bool, typer.Option("--error-mitigation/--no-error-mitigation", help="With the provider's error mitigation.")
    ] = False,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When (RFC 3339); else now.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Say what a use of a device would cost, and by which price. Exit code 1: it is unknown.

    \b
    Examples:
      quantum-mlops prices estimate --provider braket --shots 1000 \\
        --device arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q
      quantum-mlops prices estimate --provider ibm --device ibm_fez --seconds 12.5
      quantum-mlops prices estimate --provider azure --device ionq.qpu.forte-1 --shots 500 \\
        --one-qubit-gates 20 --two-qubit-gates 8 --error-mitigation --json
    """
    from qml_producers.prices import Prices, Use

    prices = Prices.open(os.environ)
    use = Use(
        provider=provider,
        device=device,
        at=_moment(at),
        tasks=tasks,
        executions=executions or tasks,
        shots=shots,
        seconds=_seconds(seconds),
        one_qubit_gates=one_qubit_gates,
        two_qubit_gates=two_qubit_gates,
        error_mitigation=error_mitigation,
    )
    money = prices.estimate(use)
    if as_json:
        import msgspec

        print(msgspec.json.encode(money).decode())
    elif money is not None:
        print(f"{money.amount} {money.currency}  by {money.price_version} ({money.source or 'no source given'})")
    else:
        found = prices.find(use)
        reason = (
            "no book has a price for it; write yours to prices.toml in the configuration folder, or to a file that "
            "QML_PRICES names (docs/prices.md)"
            if found is None
            else f"its price in {found[0].label} is {_rates(found[1])}, and that needs {_lacking(found[1], use)}"
        )
        print(f"unknown: {reason}")
    _warn(prices)
    return 0 if money is not None else 1


@app.command("check")
def check_book(
    file: Annotated[Path, typer.Argument(help="A price book (TOML), or Amazon's price list (.csv).")],
    as_json: JsonOption = False,
) -> None:
    """Check a price book before it is used; every mistake with its place, exit code 2.

    \b
    Examples:
      quantum-mlops prices check prices.toml
      quantum-mlops prices check index.csv --json
    """
    from qml_producers.prices import Prices
    from qml_producers.prices.catalogue import read_book

    book = read_book(file)
    if as_json:
        import msgspec

        print(msgspec.json.encode([_described(book, price) for price in book.prices]).decode())
    else:
        for price in book.prices:
            print(_line(book, price))
        print(f"{file}: ok, {len(book.prices)} price{'' if len(book.prices) == 1 else 's'} of {book.label}")
    _warn(Prices([book]))


def _described(book: "Book", price: "Price") -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(price)
    found.setdefault("source", book.source)
    if book.retrieved_at is not None:
        found.setdefault("retrieved_at", book.retrieved_at.isoformat())
    return {**found, "price_version": book.label}


def _line(book: "Book", price: "Price") -> str:
    from qml_daemon.cli.terminal import paint
    from qml_daemon.plain_text import safe

    checked = price.retrieved_at or book.retrieved_at
    parts = [
        paint(safe(price.provider), "bold"),
        safe(", ".join(price.devices)),
        _rates(price),
        f"since {price.effective_from}",
        *([] if checked is None else [f"looked up {checked}"]),
        paint(safe(book.label), "dim"),
    ]
    return "  ".join(parts)


_WORDS = {
    "task": "a task",
    "shot": "a shot",
    "second": "a second",
    "one_qubit_gate_shot": "a one-qubit gate and shot",
    "two_qubit_gate_shot": "a two-qubit gate and shot",
}


def _rates(price: "Price") -> str:
    rates = [f"{value} {word}" for name, word in _WORDS.items() if (value := getattr(price, name)) is not None]
    text = f"{' + '.join(rates)} {price.currency}"
    if price.minimum is not None:
        text += f", at least {price.minimum} a task"
    if price.minimum_seconds is not None:
        text += f", at least {price.minimum_seconds} s a task"
    if price.error_mitigation is not None:
        text += f", {'with' if price.error_mitigation else 'without'} error mitigation"
    return text


def _lacking(price: "Price", use: "Use") -> str:
    """Name the options without which this price says nothing."""
    needs = {
        "--shots": (price.shot, price.one_qubit_gate_shot, price.two_qubit_gate_shot),
        "--seconds": (price.second,),
        "--one-qubit-gates": (price.one_qubit_gate_shot,),
        "--two-qubit-gates": (price.two_qubit_gate_shot,),
    }
    given = {
        "--shots": use.shots,
        "--seconds": use.seconds,
        "--one-qubit-gates": use.one_qubit_gates,
        "--two-qubit-gates": use.two_qubit_gates,
    }
    asked = [name for name, rates in needs.items() if any(rate is not None for rate in rates)]
    return ", ".join(name for name in asked if given[name] is None) or "what no option says"


def _moment(text: str | None) -> datetime:
    from quantum_mlops.errors import UserError
    from quantum_mlops.timestamps import parse_time

    if text is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(parse_time(text) // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UserError(f"--at: {error}") from error


def _seconds(text: str | None) -> Any:
    from decimal import Decimal, InvalidOperation

    from quantum_mlops.errors import UserError

    if text is None:
        return None
    try:
        seconds = Decimal(text)
    except InvalidOperation as error:
        raise UserError(f"--seconds: {text[:80]!r} is no number") from error
    if not seconds.is_finite() or seconds < 0:
        raise UserError(f"--seconds: {text[:80]} is no duration; give 0 or more")
    return seconds


def _warn(prices: "Prices") -> None:
    for line in prices.old(datetime.now(UTC).date()):
        print(f"quantum-mlops prices: {line}", file=sys.stderr)
