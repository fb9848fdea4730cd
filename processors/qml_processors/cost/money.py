"""Amounts: decimal text in states and events, `Decimal` in computing, in one stated context.

60 digits hold any sum of amounts of 20 digits before the point and 12 after it without rounding.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Overflow

CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
ZERO = Decimal(0)


def parse_amount(text: str) -> Decimal:
    """Return the amount of decimal text.

    >>> parse_amount("0.10")
    Decimal('0.10')
    """
    return CONTEXT.create_decimal(text)


def add_amounts(text: str, amount: Decimal) -> str:
    """Return the sum as decimal text, exactly.

    >>> add_amounts("0.1", parse_amount("0.2"))
    '0.3'
    """
    return format(CONTEXT.add(parse_amount(text), amount), "f")


def sum_amounts(texts: list[str]) -> Decimal:
    """Return the sum of amounts of one currency."""
    total = ZERO
    for text in texts:
        total = CONTEXT.add(total, parse_amount(text))
    return total


def say_amount(amount: Decimal | str, currency: str) -> str:
    """Return an amount for a reader: at least two decimals, otherwise as exact as it is.

    >>> say_amount("1234.5", "USD"), say_amount("0.00035", "EUR"), say_amount("3.10000", "USD")
    ('1,234.50 USD', '0.00035 EUR', '3.10 USD')
    """
    value = parse_amount(amount) if isinstance(amount, str) else amount
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')} {currency}"
