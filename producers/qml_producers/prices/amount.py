"""What a use costs by one price, exactly."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from qml_producers.prices.book import Price
from qml_producers.prices.use import Use

_STEP = Decimal("1e-12")
_LARGEST = Decimal(10) ** 20
_DIGITS = 80


def amount_of(price: Price, use: Use) -> Decimal | None:
    """Return the amount in the price's currency, or None where the price needs what the use does not say.

    >>> from datetime import date, datetime, UTC
    >>> garnet = Price(provider="braket", devices=["*"], currency="USD", effective_from=date(2026, 6, 1),
    ...                task=Decimal("0.30"), shot=Decimal("0.00145"))
    >>> amount_of(garnet, Use(provider="braket", device="Garnet", at=datetime(2026, 7, 1, tzinfo=UTC), shots=1000))
    Decimal('1.750000000000')
    """
    with localcontext() as context:
        context.prec = _DIGITS
        seconds = _seconds(price, use)
        quantities: tuple[tuple[Decimal | None, Decimal | int | None], ...] = (
            (price.task, use.tasks),
            (price.shot, None if use.shots is None else use.executions * use.shots),
            (price.second, seconds),
            (price.one_qubit_gate_shot, _gate_shots(use.one_qubit_gates, use.shots)),
            (price.two_qubit_gate_shot, _gate_shots(use.two_qubit_gates, use.shots)),
        )
        total = Decimal(0)
        for rate, quantity in quantities:
            if not rate:  # not asked, or free
                continue
            if quantity is None:
                return None
            total += rate * quantity
        if price.minimum is not None:
            total = max(total, price.minimum * use.tasks)
        if not total.is_finite() or total >= _LARGEST:
            return None
        return total.quantize(_STEP, ROUND_HALF_EVEN)


def _seconds(price: Price, use: Use) -> Decimal | None:
    if use.seconds is None:
        return None
    seconds = use.seconds if isinstance(use.seconds, Decimal) else Decimal(str(use.seconds))
    if not seconds.is_finite() or seconds < 0:
        return None
    return max(seconds, (price.minimum_seconds or Decimal(0)) * use.tasks)


def _gate_shots(gates: int | None, shots: int | None) -> int | None:
    return None if gates is None or shots is None else gates * shots
