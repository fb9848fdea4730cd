"""The tabular cumulative-sum chart, and its decision limit from a declared average run length.

Page (1954, Biometrika 41:100); the tabular form and the choice k = shift / 2 as in Montgomery, *Introduction to
Statistical Quality Control*, chapter 9. One standardised score per observation goes in; the chart alarms when an arm
exceeds the limit h, which is computed so that an in-control stream alarms once per `arl0` observations on average.
"""

import math
from functools import lru_cache
from typing import Any, Literal

import msgspec

Sided = Literal["one", "two"]

REFERENCE_VALUE = 0.5
"""k: half the shift that the chart is tuned to find, in standard deviations (Montgomery 9.1.3)."""

_NODES_AT_LEAST, _DEVIATIONS = 48, 6  # nodes for so many standard deviations of the kernel
_SMALLEST_LIMIT, _LARGEST_LIMIT = 1e-4, 100.0
_RUN_LENGTHS = (10.0, 1e9)
_REFERENCE_VALUES = (0.25, 2.0)
_LIMIT_TOLERANCE = 1e-8


class Cusum(msgspec.Struct, gc=False):
    """State of a chart: both arms, how many scores it has seen, and since when the higher arm is off zero.

    Attributes:
        upper: Upper arm, max(0, upper + z - k).
        lower: Lower arm, max(0, lower - z - k); stays 0.0 if only the upper side is charted.
        count: Scores seen.
        since: `count` at which the upper arm last left zero, the usual estimate of when the change began (Montgomery
            9.1.2); 0 while the arm is zero.
    """

    upper: float = 0.0
    lower: float = 0.0
    count: int = 0
    since: int = 0


def update(state: Cusum, z: float, k: float = REFERENCE_VALUE, sided: Sided = "one") -> float:
    """Add one score to the chart and return the larger arm, to be compared with the limit.

    Raises:
        ValueError: If the score is not finite; the state is unchanged then (one NaN would stay in it for ever).

    Examples:
        >>> chart = Cusum()
        >>> [update(chart, z) for z in (0.2, 1.5, 3.0)]
        [0.0, 1.0, 3.5]
        >>> chart
        Cusum(upper=3.5, lower=0.0, count=3, since=2)
    """
    if not math.isfinite(z):
        msg = f"a chart takes finite scores only, got {z!r}"
        raise ValueError(msg)
    state.count += 1
    upper = max(0.0, state.upper + z - k)
    if upper == 0.0:
        state.since = 0
    elif state.upper == 0.0:
        state.since = state.count
    state.upper = upper
    if sided == "two":
        state.lower = max(0.0, state.lower - z - k)
    return max(state.upper, state.lower)


def average_run_length(h: float, k: float = REFERENCE_VALUE, sided: Sided = "one", shift: float = 0.0) -> float:
    """Mean number of N(shift, 1) scores until the chart, started at zero, exceeds h.

    Page's integral equation L(u) = 1 + L(0) Phi(k - u) + integral of L(x) phi(x + k - u) over [0, h], solved by
    Gauss-Legendre quadrature (the equation of Goel & Wu 1971, Technometrics 13:221). Two arms combine as
    1/L = 1/L+ + 1/L- (Lucas & Crosier 1982, Technometrics 24:199). Needs numpy.

    Raises:
        ValueError: If h is outside (0, 100] or k is negative.

    Examples:
        >>> round(average_run_length(5.0, sided="two"), 0), round(average_run_length(4.0, sided="two", shift=1.0), 2)
        (465.0, 8.38)
    """
    if not (0 < h <= _LARGEST_LIMIT and 0 <= k < math.inf):
        msg = f"need a limit h in (0, {_LARGEST_LIMIT}] and a reference value k >= 0, got {h!r} and {k!r}"
        raise ValueError(msg)
    upper = _one_arm(h, k - shift)
    return upper if sided == "one" else 1 / (1 / upper + 1 / _one_arm(h, k + shift))


@lru_cache(maxsize=256)
def threshold(arl0: float, k: float = REFERENCE_VALUE, sided: Sided = "one") -> float:
    """Limit h at which in-control N(0, 1) scores alarm once per `arl0` observations on average.

    Solved to a relative error of the run length far below 1e-3 and rounded to six decimals, so that it is the same
    number on every machine. A few hundredths of a second the first time, cached afterwards. Pure; thread-safe.

    Raises:
        ValueError: If `arl0` is outside [10, 1e9], or k outside [0.25, 2], where the chart is not useful;
            or if k is so large that single scores exceed it less often than that.

    Examples:
        >>> round(threshold(1e4, sided="two"), 3)
        8.053
        >>> round(threshold(1e4), 2)
        7.36
    """
    if not (_RUN_LENGTHS[0] <= arl0 <= _RUN_LENGTHS[1] and _REFERENCE_VALUES[0] <= k <= _REFERENCE_VALUES[1]):
        msg = f"need an average run length in [10, 1e9] and k in [0.25, 2], got {arl0!r} and {k!r}"
        raise ValueError(msg)
    if average_run_length(_SMALLEST_LIMIT, k, sided) > arl0:
        msg = f"k = {k!r} is too large for one alarm per {arl0!r} observations: single scores pass it less often"
        raise ValueError(msg)
    # log ARL is nearly linear in h, with slope 2k: the secant converges in a few steps.
    target = math.log(arl0)
    h, value = 2.0, math.log(average_run_length(2.0, k, sided))
    step = (target - value) / (2 * k)
    while abs(step) > _LIMIT_TOLERANCE:
        last, last_value = h, value
        h = min(_LARGEST_LIMIT, max(h / 4, _SMALLEST_LIMIT, h + step))
        value = math.log(average_run_length(h, k, sided))
        step = (target - value) * (h - last) / (value - last_value)
    return round(h + step, 6)


@lru_cache(maxsize=64)
def _quadrature(count: int) -> tuple[Any, Any]:
    import numpy as np  # noqa: PLC0415 - charts update without numpy; only the design of a limit needs it

    return np.polynomial.legendre.leggauss(count)


def _one_arm(h: float, k: float) -> float:
    import numpy as np  # noqa: PLC0415 - as above

    count = _NODES_AT_LEAST * (1 + int(h / _DEVIATIONS))
    nodes, weights = _quadrature(count)
    x = (nodes + 1) * h / 2
    w = weights * h / 2
    start = np.append(x, 0.0)
    kernel = np.exp(-0.5 * (x[None, :] + k - start[:, None]) ** 2) / math.sqrt(2 * math.pi) * w[None, :]
    at_zero = np.array([0.5 * math.erfc((u - k) / math.sqrt(2)) for u in start])
    system = np.eye(count + 1) - np.column_stack((kernel, at_zero))
    return float(np.linalg.solve(system, np.ones(count + 1))[-1])
