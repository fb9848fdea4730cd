"""One gradient after the other: does it explode, does it vanish?

Explosion: the logarithm of the norm against the median and the median absolute deviation (times 1.4826) of 32
former ones: the first 32, then every eighth, since successive norms are alike and would make the spread too small. The
limit is the normal quantile of the declared false-alarm rate, widened as Student's t for the
12 degrees of freedom that such a deviation has (expansion of Fisher and Cornish, 1960, Technometrics 2:209);
and `explosion_factor` times the median at least. Two in a row open, while the loss is not falling.

Plateau: the root mean square of the components stays, for `plateau_steps` gradients, below one of

- the shot noise, told from the loss itself: a component by the parameter shift is half the difference of two
  losses, so that noise sigma of the loss leaves sigma / sqrt(2) in each. Between 0.35 and 0.9 sigma the gradient
  is mostly that noise; far below it was not estimated from shots, and this says nothing about it;
- 1 % of the run's own first gradients;
- `plateau_gradient` times the loss.

And the loss has not moved since the start: a converged training has a vanishing gradient too, but its loss
fell first. Neither shots nor qubits travel with a gradient, so that no more can be known here: a
training that fell and then came upon a plateau is not told from a converged one.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from qml_processors.base import Finding
from qml_processors.training.loss import SIGMA, WARMUP
from qml_processors.training.state import Gradient, TrainingState, is_wanted
from qml_processors.training.wording import exploded, recovered, vanished
from quantum_mlops.config.rules import TrainingRule
from quantum_mlops.events import Event, GradientStatistics
from quantum_mlops.stats.false_alarms import parse_rate

HISTORY: Final = 32
LEAST_HISTORY: Final = 16
REFRESHED_EVERY: Final = 16
THINNING: Final = 8
"""With every norm an autocorrelation of 0.9 gave up to seven times the declared false alarms."""
HIGH_IN_A_ROW: Final = 2
CALM_IN_A_ROW: Final = 10
START: Final = 10
_SMOOTHING: Final = 0.1
_START_SHARE: Final = 0.01
_NOISE_LOW, _NOISE_HIGH = 0.35 * SIGMA, 0.9 * SIGMA
_FREEDOM: Final = 12.0
_SMALLEST: Final = 1e-300


def take_gradient(
    state: TrainingState, seen: GradientStatistics, event: Event, rule: TrainingRule
) -> tuple[Finding, ...]:
    """Follow one gradient; return what it opens or closes."""
    size = seen.size
    norm = seen.norm
    if norm is None:
        if seen.variance is None or not 0.0 <= seen.variance < 1 / _SMALLEST:
            return ()
        norm = math.hypot(math.sqrt(size * seen.variance), math.sqrt(size) * (seen.mean or 0.0))
    if size < 1 or not norm >= 0.0 or norm == math.inf:
        return ()
    gradient = state.gradient
    count = gradient.count = gradient.count + 1
    level = norm / math.sqrt(size)
    gradient.level += (_SMOOTHING if count > START else 1 / count) * (level - gradient.level)
    found = _watch_norm(state, gradient, norm, event, rule)
    if count <= START:
        gradient.start = gradient.level
    elif not state.loss.moved:
        found += _watch_level(state, gradient, event, rule)
    return found


def plateau_limit(state: TrainingState, rule: TrainingRule) -> float | None:
    """Return the limit below which the gradient now vanishes, None where it does not."""
    loss, level = state.loss, state.gradient.level
    limit = max(_START_SHARE * state.gradient.start, rule.plateau_gradient * abs(loss.mean))
    if level <= limit:
        return limit
    return _NOISE_HIGH * loss.noise if _NOISE_LOW * loss.noise <= level <= _NOISE_HIGH * loss.noise else None


def _watch_norm(
    state: TrainingState, gradient: Gradient, norm: float, event: Event, rule: TrainingRule
) -> tuple[Finding, ...]:
    height = math.log(max(_SMALLEST, norm))
    limit = gradient.limit
    is_open = bool(state.open) and "GradientExplosion" in state.open
    if limit is not None and height > limit:
        gradient.high += 1
        gradient.calm = 0
        loss = state.loss
        falling = bool(loss.metric) and loss.last < loss.mean
        if is_open or falling or gradient.high < HIGH_IN_A_ROW or not is_wanted(rule, "GradientExplosion"):
            return ()
        state.open.append("GradientExplosion")
        return (exploded(state, norm, math.exp(_median(gradient.logs)), math.exp(limit), event, rule),)
    gradient.high = 0
    logs = gradient.logs
    if len(logs) < HISTORY:
        logs.append(height)
    elif gradient.count % THINNING == 0:
        del logs[0]
        logs.append(height)
    if gradient.count % REFRESHED_EVERY == 0 and len(logs) >= LEAST_HISTORY:
        gradient.limit = _limit(logs, rule)
    if is_open:
        gradient.calm += 1
        if gradient.calm >= CALM_IN_A_ROW:
            gradient.calm = 0
            return (recovered(state, "GradientExplosion", rule),)
    return ()


def _watch_level(state: TrainingState, gradient: Gradient, event: Event, rule: TrainingRule) -> tuple[Finding, ...]:
    limit = plateau_limit(state, rule) if state.loss.count > WARMUP else None
    if limit is None:
        gradient.low = 0
        gradient.back += 1
        if "BarrenPlateau" in state.open and gradient.back >= CALM_IN_A_ROW:
            return (recovered(state, "BarrenPlateau", rule),)
        return ()
    gradient.back = 0
    gradient.low += 1
    if gradient.low < rule.plateau_steps or "BarrenPlateau" in state.open or not is_wanted(rule, "BarrenPlateau"):
        return ()
    state.open.append("BarrenPlateau")
    return (vanished(state, limit, event, rule),)


def _limit(logs: list[float], rule: TrainingRule) -> float:
    middle = _median(logs)
    deviation = 1.4826 * _median([abs(height - middle) for height in logs])
    return middle + max(deviation * outlier_score(rule.false_alarms), math.log(rule.explosion_factor))


def _median(values: list[float]) -> float:
    """Return the upper median; `statistics.median` takes ten times as long."""
    return sorted(values)[len(values) // 2]


@lru_cache(maxsize=64)
def outlier_score(false_alarms: str) -> float:
    """Return how many estimated deviations above the median are exceeded at the declared rate.

    >>> round(outlier_score("1 per 10000 observations"), 1)
    5.2
    """
    z = -NormalDist().inv_cdf(1.0 / parse_rate(false_alarms))
    first = (z**3 + z) / (4 * _FREEDOM)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * _FREEDOM**2)
    return z + first + second
