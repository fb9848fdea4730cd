"""The price that a Braket device says of itself: `properties.service.deviceCost`.

Source: amazon-braket-schemas, `DeviceCost` (price in US dollars, unit). It knows the shot or the minute, not the fee
per task, which only a price book tells.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from qml_producers.prices.book import Book, Price
from qml_producers.prices.catalogue import Prices
from qml_producers.prices.use import Use

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def with_device_cost(prices: Prices, arn: str, properties: Mapping[str, Any], at: datetime) -> Prices:
    """Return `prices` with what the device says of its price between the user's own books and the shipped ones.

    They stay as they are where the device says no price, or where no book knows its task fee: half a price would be a
    wrong one. `properties` is the JSON document of `GetDevice`'s deviceCapabilities.

    >>> from qml_producers.prices.catalogue import shipped_books
    >>> arn = "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q"
    >>> document = {"service": {"deviceCost": {"price": 0.0004, "unit": "shot"}, "updatedAt": "2026-11-01T10:00:00"}}
    >>> at = datetime(2026, 11, 21, tzinfo=UTC)
    >>> prices = with_device_cost(Prices(shipped_books()), arn, document, at)
    >>> prices.estimate(Use(provider="braket", device=arn, at=at, shots=1000)).amount
    '0.7'
    """
    service = properties.get("service")
    cost = service.get("deviceCost") if isinstance(service, Mapping) else None
    known = prices.find(Use(provider="braket", device=arn, at=at))
    if not isinstance(service, Mapping) or not isinstance(cost, Mapping) or known is None:
        return prices
    listing, listed = known
    price = _merge(listed, _amount(cost.get("price")), cost.get("unit"))
    if price is None:
        return prices
    today = at.astimezone(UTC).date()
    updated = min(_day(service.get("updatedAt")) or today, today)
    own = replace(price, devices=[arn], effective_from=updated, retrieved_at=today, source=None, note=None)
    source = f"deviceCost of the device; task fee and minimum by {listing.label}"
    book = Book(name="braket-device-cost", version=updated.isoformat(), prices=[own], source=source)
    return prices.above_shipped(book)


def _merge(listed: Price, amount: Decimal | None, unit: object) -> Price | None:
    if amount is None or listed.currency != "USD":
        return None
    if unit == "shot" and listed.task is not None:
        return replace(listed, shot=amount)
    if isinstance(unit, str) and unit in _SECONDS and listed.second is not None:
        return replace(listed, second=amount / _SECONDS[unit])
    return None


def _amount(price: object) -> Decimal | None:
    """Return the decimal that was written: the shortest text of the float is it."""
    if isinstance(price, bool) or not isinstance(price, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(price))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
