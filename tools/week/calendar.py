"""The week: Monday 2 March 2026, 00:00 UTC, to Sunday midnight."""

from datetime import UTC, datetime

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SUNDAY = 1, 2, 3, 4, 6
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND


def at(day: int, hour: int, minute: int = 0) -> int:
    """Return a moment of the week in nanoseconds UTC; `day` 0 is Monday.

    >>> at(0, 0) == MONDAY
    True
    """
    return MONDAY + day * DAY + hour * HOUR + minute * MINUTE


def moment(time_ns: int) -> datetime:
    """Return the same as a datetime."""
    return datetime.fromtimestamp(time_ns / SECOND, UTC)
