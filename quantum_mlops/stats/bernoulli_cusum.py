"""A cumulative-sum chart of failures among jobs, one job an observation, with an exactly computed run length.

The log-likelihood ratio of failure probability p1 against p0 adds one number for a failure and takes one for a
success. Their ratio is rounded to whole steps, so the chart is a random walk on integers and its average run length
follows from linear equations instead of an approximation.

Reynolds & Stoumbos (1999), A CUSUM chart for monitoring a proportion when inspecting continuously, Journal of Quality
Technology 31:87. numpy is loaded only where a limit is designed.
"""

import math
from functools import lru_cache

from msgspec import Struct

_STEPS = 12
_SMALLEST, _LARGEST = 0.001, 0.95
_LARGEST_LIMIT = 2048


class Walk(Struct, frozen=True, gc=False):
    """A chart max(0, S + up) or max(0, S - down) that alarms at S >= limit.

    Attributes:
        up: Steps up for what the chart looks for.
        down: Steps down for the other outcome.
        limit: The alarm's level.
    """

    up: int
    down: int
    limit: int


@lru_cache(maxsize=256)
def rising(p0: float, p1: float, run_length: float) -> Walk:
    """Return the chart of failures that rise from p0 to p1: on average `run_length` jobs to a false alarm, at least.

    Raises:
        ValueError: If not 0.001 <= p0 < p1 <= 0.95, or no limit gives this run length.

    Examples:
        >>> rising(0.1, 0.3, 1e4)
        Walk(up=10, down=2, limit=69)
    """
    failure, success = _steps(p0, p1)
    return _design(failure, success, p0, run_length)


@lru_cache(maxsize=256)
def falling(p0: float, p1: float, run_length: float) -> Walk:
    """Return the chart of successes that come back: failures fall from p1 to p0; `up` is the step of a success.

    Raises:
        ValueError: As `rising`.

    Examples:
        >>> chart = falling(0.1, 0.3, 100.0)
        >>> chart.up, chart.down
        (2, 10)
    """
    failure, success = _steps(p0, p1)
    return _design(success, failure, 1 - p1, run_length)


def walk_run_length(walk: Walk, probability_up: float) -> float:
    """Mean number of observations until the chart, started at zero, alarms. Needs numpy.

    Examples:
        >>> walk_run_length(Walk(1, 1, 1), 0.25)
        4.0
    """
    import numpy as np  # noqa: PLC0415 - only designs need it

    size = walk.limit
    system = np.eye(size)
    for state in range(size):
        system[state, max(0, state - walk.down)] -= 1 - probability_up
        if state + walk.up < size:
            system[state, state + walk.up] -= probability_up
    return float(np.linalg.solve(system, np.ones(size))[0])


def _steps(p0: float, p1: float) -> tuple[int, int]:
    """Return the steps of a failure and of a success, in the proportion of their log-likelihood ratios."""
    if not _SMALLEST <= p0 < p1 <= _LARGEST:
        msg = f"need {_SMALLEST} <= p0 < p1 <= {_LARGEST}, got {p0!r} and {p1!r}"
        raise ValueError(msg)
    success = math.log((1 - p0) / (1 - p1))
    share = success / (success + math.log(p1 / p0))
    whole = max(_STEPS, round(1 / share))
    down = max(1, round(share * whole))
    return whole - down, down


def _design(up: int, down: int, probability_up: float, run_length: float) -> Walk:
    """Return the smallest limit that reaches the run length, which grows with the limit."""
    high = 1
    while walk_run_length(Walk(up, down, high), probability_up) < run_length:
        high *= 2
        if high > _LARGEST_LIMIT:
            msg = f"no limit gives one alarm per {run_length!r} observations: p0 and p1 are too near"
            raise ValueError(msg)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if walk_run_length(Walk(up, down, middle), probability_up) < run_length:
            low = middle
        else:
            high = middle
    return Walk(up, down, high)
