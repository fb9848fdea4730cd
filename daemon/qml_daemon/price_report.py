"""What `doctor` says of the price books."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from qml_producers.prices import Prices
from quantum_mlops.errors import ConfigError

Line = tuple[str, Literal["ok", "note", "fail"], str]


def report_prices(environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield a line of name, verdict and text for each thing to say; reads the books, changes nothing."""
    try:
        prices = Prices.open(environ)
    except ConfigError as error:
        yield "prices", "fail", f"{str(error).splitlines()[0]}; until it is mended costs are unknown"
        return
    own = ", ".join(book.label for book in prices.books[: prices.own]) or "none of your own"
    shipped = ", ".join(book.label for book in prices.books[prices.own :])
    yield "prices", "ok", f"{own}; shipped {shipped}; see: quantum-mlops prices list"
    for line in prices.old(datetime.now(UTC).date()):
        yield "prices", "note", line
