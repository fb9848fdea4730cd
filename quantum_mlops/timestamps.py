"""RFC 3339 text to nanoseconds UTC and back, exact to the nanosecond.

`datetime` ends at microseconds and `msgspec` with it; the contract's times are nanoseconds. Texts of
one second share their first 20 characters, so both directions remember the seconds they saw last.

Source: RFC 3339, section 5.6.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,18}))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_CANONICAL_LENGTH = 30


@lru_cache(maxsize=256)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0")


@lru_cache(maxsize=256)
def _second_start(text: str) -> int:
    return _parse_any(f"{text}0Z")


def format_time(time_ns: int) -> str:
    """Return the RFC 3339 text of `time_ns`, always UTC with nine digits.

    >>> format_time(1_700_000_000_000_000_001)
    '2023-11-14T22:13:20.000000001Z'
    """
    second, nanoseconds = divmod(time_ns, _SECOND)
    return f"{_second_text(second)}{nanoseconds:09d}Z"


def parse_time(text: str) -> int:
    """Return the nanoseconds UTC of an RFC 3339 text; digits past the nanosecond are cut.

    Raises:
        ValueError: the text is no RFC 3339 time or lies outside the years 1 to 9999.

    >>> parse_time("2023-11-14T22:13:20.000000001Z")
    1700000000000000001
    >>> parse_time("2023-11-14T23:13:20+01:00") == parse_time("2023-11-14T22:13:20Z")
    True

    """
    if len(text) == _CANONICAL_LENGTH and text[29] == "Z":
        nanoseconds = text[20:29]
        if nanoseconds.isdecimal() and nanoseconds.isascii():
            try:
                return _second_start(text[:20]) + int(nanoseconds)
            except ValueError:
                return _parse_any(text)  # its error names the whole text
    return _parse_any(text)


def _parse_any(text: str) -> int:
    found = _RFC3339.fullmatch(text)
    if found is None:
        message = f"not an RFC 3339 time: {text[:40]!r}"
        raise ValueError(message)
    year, month, day, hour, minute, second, fraction, _, sign, off_hour, off_minute = found.groups()
    leap = second == "60"
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=UTC)
    whole = (moment - _EPOCH) // timedelta(seconds=1) + (1 if leap else 0)
    if sign:
        if int(off_hour) > 23 or int(off_minute) > 59:  # noqa: PLR2004 - the clock face
            message = f"not an RFC 3339 offset: {text[:40]!r}"
            raise ValueError(message)
        offset = int(off_hour) * 3600 + int(off_minute) * 60
        whole -= offset if sign == "+" else -offset
    return whole * _SECOND + int((fraction or "").ljust(9, "0")[:9])
