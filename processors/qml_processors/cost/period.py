"""The periods of budgets, in days since 1970, UTC."""

from datetime import date, timedelta
from typing import Literal

from quantum_mlops.clock import DAY

_EPOCH = date(1970, 1, 1)
Kind = Literal["day", "week", "month", "total"]
ALWAYS = 0


def date_of(day: int) -> date:
    """Return the date of a day since 1970.

    >>> str(date_of(20_000))
    '2024-10-04'
    """
    return _EPOCH + timedelta(days=day)


def period_of(kind: Kind, now: int) -> tuple[int, int | None]:
    """Return the first day of the period that `now` (nanoseconds) is in, and the first day after it.

    A total has neither beginning nor end: 0 and None.

    >>> start, end = period_of("month", 20_000 * DAY)
    >>> str(date_of(start)), str(date_of(end))
    ('2024-10-01', '2024-11-01')
    >>> date_of(period_of("week", 20_000 * DAY)[0]).strftime("%A")
    'Monday'
    """
    today = now // DAY
    if kind == "total":
        return ALWAYS, None
    if kind == "day":
        return today, today + 1
    at = date_of(today)
    if kind == "week":
        monday = today - at.weekday()
        return monday, monday + 7
    first = at.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return (first - _EPOCH).days, (following - _EPOCH).days
