"""Amazon's public price list of Braket (bulk CSV), as a price book.

    https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBraket/current/index.csv

Source of the format: "Reading an offer file" in AWS Billing's guide; of the columns: the Tracker of
amazon-braket-sdk, which reads the same list. Five rows of metadata, one of column names, then products. Of these the
quantum tasks, their shots and the simulators' minutes are read; tasks inside hybrid jobs have rows of their own, which
are not, and reservations and notebooks are no price of a task.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import islice

from qml_producers.prices.book import Book, Price
from quantum_mlops.errors import ConfigError

MAX_BYTES = 16 * 1024 * 1024
_MAX_ROWS = 50_000
_METADATA_ROWS = 5
_NEEDED = ("Product Family", "PricePerUnit", "Currency", "Region Code")
_QPU = {"Quantum Task": "task", "Quantum Task-Shot": "shot"}
_SECONDS = {"seconds": 1, "second": 1, "minutes": 60, "minute": 60, "hours": 3600, "hour": 3600}
_MINIMUM_SECONDS = Decimal(3)

Row = Mapping[str, str | None]


def parse_price_list(data: bytes, place: str, retrieved_at: date) -> Book:
    """Return the prices of a list that was downloaded on `retrieved_at`; `place` names it in errors.

    The book's version is the list's own. A device with two different prices of one kind has no price here.

    Raises:
        ConfigError: this is no such list, or too large.

    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{place}: over {MAX_BYTES // 2**20} MiB, this is no price list of Amazon Braket")
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place}: not UTF-8 at byte {error.start}") from error
    try:
        metadata = {row[0]: row[1] for row in csv.reader(lines[:_METADATA_ROWS]) if len(row) > 1}
        reader = csv.DictReader(lines[_METADATA_ROWS:])
        if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
            raise ConfigError(
                f"{place}: row 6 names no column {missing[0]!r}; a price list of Amazon Braket (index.csv) has it"
            )
        rows = list(islice(reader, _MAX_ROWS))
    except csv.Error as error:
        raise ConfigError(f"{place}: not CSV: {error}") from error
    version = metadata.get("Version") or metadata.get("Publication Date")
    if not version:
        raise ConfigError(f"{place}: no Version in its first five rows; this is no price list of Amazon Braket")
    published = _day(metadata.get("Publication Date")) or retrieved_at
    return Book(
        name="amazon-braket-price-list",
        version=version[:128],
        prices=[*_qpus(rows, published), *_simulators(rows, published)],
        source="https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBraket/current/index.csv",
        retrieved_at=retrieved_at,
    )


def _qpus(rows: Iterable[Row], published: date) -> Iterator[Price]:
    found: dict[tuple[str, str], dict[str, set[tuple[Decimal, str, date]]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        kind = _QPU.get(row.get("Product Family") or "")
        region, device, amount = row.get("Region Code"), row.get("DeviceName"), _amount(row)
        if kind is not None and region and device and amount is not None:
            since = _day(row.get("EffectiveDate")) or published
            found[region, device][kind].add((amount, row.get("Currency") or "", since))
    for (region, device), kinds in sorted(found.items()):
        if len(kinds["task"]) == len(kinds["shot"]) == 1:  # else it is not said what a task costs
            (task, currency, task_since), (shot, shot_currency, shot_since) = *kinds["task"], *kinds["shot"]
            if currency == shot_currency:
                yield Price(
                    provider="braket",
                    devices=[f"arn:aws:braket:{region}::device/qpu/*/{_letter(one)}" for one in _spellings(device)],
                    currency=currency,
                    effective_from=max(task_since, shot_since),
                    task=task,
                    shot=shot,
                    free_if_failed=True,
                )


def _simulators(rows: Iterable[Row], published: date) -> Iterator[Price]:
    found: dict[str, set[tuple[Decimal, str, date]]] = defaultdict(set)
    for row in rows:
        name, amount = row.get("Version"), _amount(row)
        seconds = _SECONDS.get((row.get("Unit") or "").lower())
        is_task = row.get("Product Family") == "Simulator Task" and row.get("operation") == "CompleteTask"
        if is_task and name and amount is not None and seconds is not None:
            since = _day(row.get("EffectiveDate")) or published
            found[name].add((amount / seconds, row.get("Currency") or "", since))
    for name, prices in sorted(found.items()):
        if len({price[:2] for price in prices}) == 1:  # the ARN of a simulator has no region
            second, currency, since = max(prices)
            yield Price(
                provider="braket",
                devices=[f"arn:aws:braket:*::device/quantum-simulator/amazon/{name.lower()}"],
                currency=currency,
                effective_from=since,
                second=second,
                minimum_seconds=_MINIMUM_SECONDS,
            )


def _spellings(device: str) -> list[str]:
    """Return how the device's name stands in its ARN: the list writes IBEX-Q1, the ARN Ibex-Q1."""
    return [device] if "IBEX" not in device else [device, device.replace("IBEX", "Ibex")]


def _letter(device: str) -> str:
    """Return a pattern that takes the first letter in either case: the list writes it large."""
    first = device[:1]
    return f"[{first.upper()}{first.lower()}]{device[1:]}" if first.isalpha() else device


def _amount(row: Row) -> Decimal | None:
    try:
        amount = Decimal(row.get("PricePerUnit") or "")
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
