"""A declared rate of false alarms, as people write it, and the average run length it stands for."""

import re

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s+per\s+(\d[\d_,]*)\s+observations?\s*", re.IGNORECASE)
_LEAST, _MOST = 10.0, 1e9


def parse_rate(text: str) -> float:
    """Mean number of in-control observations between two false alarms, from "1 per 10000 observations".

    Raises:
        ValueError: If the text is not of that form, or the run length is outside [10, 1e9]; it says what to write.

    Examples:
        >>> parse_rate("1 per 10000 observations")
        10000.0
        >>> parse_rate("2 per 1_000_000 observations")
        500000.0
        >>> parse_rate("once a week")
        Traceback (most recent call last):
        ...
        ValueError: cannot read the false-alarm rate 'once a week': write it as "1 per 10000 observations"
    """
    match = _RATE.fullmatch(text[:200])
    if match is None:
        msg = f'cannot read the false-alarm rate {text[:200]!r}: write it as "1 per 10000 observations"'
        raise ValueError(msg)
    alarms, observations = float(match[1]), float(re.sub("[_,]", "", match[2]))
    if not alarms * _LEAST <= observations <= alarms * _MOST or alarms == 0:
        msg = (
            f"the false-alarm rate {text[:200]!r} is out of range: "
            "write between 1 per 10 and 1 per 1000000000 observations"
        )
        raise ValueError(msg)
    return observations / alarms
