"""All price books at hand: the user's own first, then those that come with this package."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Self

from qml_producers.prices.amount import amount_of
from qml_producers.prices.book import MAX_BYTES, Book, Price, parse_book
from qml_producers.prices.price_list import MAX_BYTES as LIST_BYTES
from qml_producers.prices.price_list import parse_price_list
from qml_producers.prices.use import Use
from quantum_mlops.config.load import find_config_dir, is_file
from quantum_mlops.errors import ConfigError
from quantum_mlops.events import Money

VARIABLE = "QML_PRICES"
FILE_NAME = "prices.toml"
OLD_AFTER = timedelta(days=180)
_MAX_LABEL = 512


class Prices:
    """Price books in the order of their authority, the user's `own` ones first. Immutable, thread-safe, without IO."""

    def __init__(self, books: Sequence[Book], own: int = 0) -> None:
        self.books = tuple(books)
        self.own = own

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Self:
        """Return the user's own books (`QML_PRICES`, else `prices.toml` in the config folder), then the shipped ones.

        `QML_PRICES` names one file or several, separated as in PATH; the first has the first word. A file whose name
        ends in `.csv` is Amazon's price list of Braket.

        Raises:
            ConfigError: a book cannot be read or is wrong; a line for each mistake.

        """
        own = own_books(environ)
        return cls([*own, *shipped_books()], len(own))

    def estimate(self, use: Use) -> Money | None:
        """Return what a use costs, or None where no book knows or the use does not say enough. Never a guess, never 0.

        A book that has a price for the device has the last word: where it gives no amount, no other book is asked.
        """
        found = self.find(use)
        if found is None:
            return None
        amount = amount_of(found[1], use)
        return None if amount is None else money_of(*found, amount)

    def above_shipped(self, book: Book) -> "Prices":
        """Return these prices with a book between the user's own and the shipped ones."""
        return Prices([*self.books[: self.own], book, *self.books[self.own :]], self.own)

    def find(self, use: Use) -> tuple[Book, Price] | None:
        """Return the price of a use and its book: the most special pattern, of these the latest that has begun."""
        day = use.at.astimezone(UTC).date()
        for book in self.books:
            fitting = [
                (_special(price, use.device), price.effective_from, number)
                for number, price in enumerate(book.prices)
                if price.provider == use.provider
                and price.effective_from <= day
                and price.error_mitigation in (None, use.error_mitigation)
                and any(fnmatchcase(use.device, pattern) for pattern in price.devices)
            ]
            if fitting:
                return book, book.prices[max(fitting)[2]]
        return None

    def old(self, today: date) -> list[str]:
        """Return one line for each book with prices that nobody looked up for 180 days."""
        return [
            f"prices of {book.label} were looked up {(today - book.oldest).days} days ago, on {book.oldest}; "
            f"your own in {FILE_NAME} or {VARIABLE} come first"
            for book in self.books
            if book.oldest is not None and today - book.oldest > OLD_AFTER
        ]


def money_of(book: Book, price: Price, amount: Decimal) -> Money:
    """Return an amount with its currency, the book's name and version and the price's source."""
    source = price.source or book.source
    return Money(
        amount=_text(amount),
        currency=price.currency,
        price_version=book.label,
        source=None if source is None else source[:_MAX_LABEL],
    )


def own_books(environ: Mapping[str, str]) -> list[Book]:
    """Return the books that the user named, or has in the config folder. Raises ConfigError."""
    if named := environ.get(VARIABLE):
        return [
            read_book(Path(one).expanduser(), f"{VARIABLE} names no file") for one in named.split(os.pathsep) if one
        ]
    place = find_config_dir(environ) / FILE_NAME
    return [read_book(place)] if is_file(place) else []


def shipped_books() -> list[Book]:
    """Return the books of this package, by name."""
    folder = resources.files("qml_producers.prices") / "books"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return [parse_book(one.read_bytes(), one.name) for one in found]


def read_book(place: Path, absent: str = "no such file") -> Book:
    """Return the book in a TOML file, or in Amazon's price list if its name ends in `.csv`. Raises ConfigError."""
    if not is_file(place):
        raise ConfigError(f"{place}: {absent}")
    is_list = place.suffix.lower() == ".csv"
    try:
        with place.open("rb") as file:
            data = file.read((LIST_BYTES if is_list else MAX_BYTES) + 1)
            written = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC).date()
    except OSError as error:
        raise ConfigError(f"{place}: cannot be read: {error.strerror}") from error
    return parse_price_list(data, str(place), written) if is_list else parse_book(data, str(place))


def _special(price: Price, device: str) -> int:
    """Return how many characters of the fitting pattern are no wildcard."""
    return max(
        len(pattern) - pattern.count("*") + (pattern == device)
        for pattern in price.devices
        if fnmatchcase(device, pattern)
    )


def _text(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
