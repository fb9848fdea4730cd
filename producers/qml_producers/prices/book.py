"""A price book: prices with their sources and dates, read from TOML.

Amounts are read as decimals, written as numbers (`shot = 0.000425`) or as texts; no float is ever made of them.
"""

import tomllib
from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from quantum_mlops.config.keys import explain, find_problems, type_of
from quantum_mlops.errors import ConfigError

MAX_BYTES = 1024 * 1024
_MAX_RATE = Decimal(10) ** 9
_MAX_DIGITS = 12  # after the point: what an amount in an event can hold

Text = Annotated[str, Meta(min_length=1, max_length=512)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
RATES = ("task", "shot", "second", "one_qubit_gate_shot", "two_qubit_gate_shot")
_AMOUNTS = (*RATES, "minimum", "minimum_seconds")


class Price(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One price of some devices, in force from a day on (UTC) until a later one of the same book begins.

    `devices` are patterns over `Job.backend` (`*` for any text). `task` is asked per task, `shot` per shot of each
    execution, `second` per billed second, of which each task has at least `minimum_seconds`;
    `one_qubit_gate_shot` and `two_qubit_gate_shot` per gate and shot. A task costs at least `minimum`.
    `error_mitigation` restricts the price to uses with it or without it. `free_if_failed` says that nothing is
    billed for a task that failed or was cancelled.
    """

    provider: Text
    devices: Annotated[list[Text], Meta(min_length=1, max_length=1000)]
    currency: Currency
    effective_from: date
    task: Decimal | None = None
    shot: Decimal | None = None
    second: Decimal | None = None
    one_qubit_gate_shot: Decimal | None = None
    two_qubit_gate_shot: Decimal | None = None
    minimum: Decimal | None = None
    minimum_seconds: Decimal | None = None
    error_mitigation: bool | None = None
    free_if_failed: bool = False
    source: Text | None = None
    retrieved_at: date | None = None
    note: Text | None = None


class Book(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices that were collected together. `source` and `retrieved_at` hold for prices without their own."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    version: Annotated[str, Meta(min_length=1, max_length=128)]
    prices: Annotated[list[Price], Meta(max_length=20_000)]
    source: Text | None = None
    retrieved_at: date | None = None

    @property
    def label(self) -> str:
        """Name and version, as `Money.price_version` carries them."""
        return f"{self.name} {self.version}"

    @property
    def oldest(self) -> date | None:
        """The day on which the price that was looked up longest ago was; None where no day is given."""
        days = [price.retrieved_at or self.retrieved_at for price in self.prices]
        return min((day for day in days if day is not None), default=None)


def parse_book(data: bytes, place: str) -> Book:
    r"""Return the book in the TOML text `data`; `place` names it in errors.

    Raises:
        ConfigError: a line for each mistake, with the place, the path of the key and the mend.

    >>> text = b'name = "lab"\nversion = "1"\n[[prices]]\nprovider = "ibm"\ndevices = ["ibm_*"]\n'
    >>> text += b'currency = "EUR"\neffective_from = 2026-01-01\nsecond = 1.37\n'
    >>> parse_book(text, "prices.toml").prices[0].second
    Decimal('1.37')
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{place}: over 1 MiB, this is no price book")
    try:
        tree = tomllib.loads(data.decode(), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{place}: nested too deeply, this is no price book") from error
    problems = list(find_problems(tree, type_of(Book)))
    if not problems:
        try:
            book = msgspec.convert(tree, Book)
        except msgspec.ValidationError as error:
            problems = [_explain(error)]
        else:
            problems = [line for number, price in enumerate(book.prices) for line in _check(price, f"prices[{number}]")]
    if problems:
        raise ConfigError("\n".join(f"{place}: {line}" for line in problems))
    return book


def _explain(error: msgspec.ValidationError) -> str:
    line = explain(error)
    if line.startswith("Object missing required field"):
        return f"{line.split('`')[1]} is missing; a book has name, version and [[prices]]"
    return line.replace("invalid decimal string", "no number; write it like 0.30").replace(
        "invalid RFC3339 encoded date", "no day; write it like 2026-01-31"
    )


def _check(price: Price, path: str) -> list[str]:
    """Return a line for each number that is no price."""
    problems = []
    for key in _AMOUNTS:
        value = getattr(price, key)
        if value is None:
            continue
        if not value.is_finite() or not 0 <= value <= _MAX_RATE:
            problems.append(f"{path}.{key}: {value} is no price; give 0 or more, at most {_MAX_RATE:,}")
        elif -int(value.normalize().as_tuple().exponent) > _MAX_DIGITS:
            problems.append(f"{path}.{key}: more than {_MAX_DIGITS} digits after the point")
    if not (price.currency.isascii() and price.currency.isalpha() and price.currency.isupper()):
        problems.append(f'{path}.currency: {price.currency!r} is no ISO 4217 code; write it like "USD"')
    if all(getattr(price, key) is None for key in RATES):
        problems.append(f"{path}: has no price; give at least one of {', '.join(RATES)}")
    if price.minimum_seconds is not None and price.second is None:
        problems.append(f"{path}.minimum_seconds: needs a price per second; add second")
    return problems
