"""One loss after the other: has it moved by more than its own noise?

Optimizers such as SPSA log losses with the noise of shots and batches. The noise is estimated from the series
itself by successive differences, which a trend hardly touches: sigma = mean |x[i] - x[i-1]| / 1.128 (the
moving range of Shewhart's chart for individual values; von Neumann 1941, Annals of Mathematical Statistics
12:367, for the squares). The smoothed loss (weight 0.1) has 0.23 sigma of noise, and its start, a mean of ten,
0.32 sigma: the margin of 1.5 sigma is 3.8 of the difference's own. Correlated noise makes sigma too
small, so that the loss is taken for moving: an alarm is missed then, none is false.
"""

from typing import Final

from qml_processors.base import Finding
from qml_processors.training.state import Loss, TrainingState, is_wanted
from qml_processors.training.wording import not_finite, recovered, stalled
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import TrainingRule
from quantum_mlops.events import Event, MetricLogged

WARMUP: Final = 10
"""Losses that make the start."""
RECOVERED_AFTER: Final = 10
"""Finite losses in a row that close LossNaN."""
SIGMA: Final = 1 / 1.128
"""Standard deviation of normal noise, as a multiple of the mean absolute successive difference."""
_MARGIN: Final = 1.5 * SIGMA
_SMOOTHING: Final = 0.1
_NOISE_SMOOTHING: Final = 0.02
_LARGEST: Final = 1e150
"""A larger loss is not followed: squares and differences would overflow."""


def take_loss(state: TrainingState, loss: Loss, value: float, event: Event, rule: TrainingRule) -> tuple[Finding, ...]:
    """Follow one finite loss; return what it opens or closes."""
    time = event.time
    if (time < loss.time and event.source == loss.source) or not -_LARGEST < value < _LARGEST:
        return ()
    loss.source, loss.time, loss.step = event.source, time, event.context.step
    count = loss.count = loss.count + 1
    change = value - loss.last
    loss.last = value
    if count <= WARMUP:
        return _begin(state, loss, change, event, rule)
    mean = loss.mean = loss.mean + _SMOOTHING * (value - loss.mean)
    noise = loss.noise = loss.noise + _NOISE_SMOOTHING * ((change if change > 0.0 else -change) - loss.noise)
    best = loss.best
    margin = _MARGIN * noise + rule.min_improvement * (best if best > 0.0 else -best)
    progress = False
    if mean < best - margin:
        loss.best, loss.since, loss.since_time, loss.moved = mean, count, time, True
        progress = True
    elif not loss.moved and mean > loss.start + margin:
        loss.moved = progress = True
    if state.open and (found := _recover(state, rule, progress=progress)):
        return found
    if count - loss.since >= rule.stall_steps and (rule.stall_after_improvement or not loss.moved):
        return _stall(state, loss, rule, event)
    return ()


def take_nonfinite(state: TrainingState, data: MetricLogged, event: Event, rule: TrainingRule) -> tuple[Finding, ...]:
    """Say at once that a loss is not finite; stay open while there are more."""
    name = next((name for name in rule.loss_metrics if name in data.nonfinite), None)
    if name is None or not is_wanted(rule, "LossNaN"):
        return ()
    state.finite = 0
    if "LossNaN" in state.open:
        return ()
    state.open.append("LossNaN")
    state.nan_metric = name
    return (not_finite(state, data.nonfinite[name], event, rule),)


def _begin(state: TrainingState, loss: Loss, change: float, event: Event, rule: TrainingRule) -> tuple[Finding, ...]:
    """Take one of the first losses: plain means."""
    count = loss.count
    loss.mean += (loss.last - loss.mean) / count
    if count > 1:
        loss.noise += (abs(change) - loss.noise) / (count - 1)
    loss.start = loss.best = loss.mean
    loss.since, loss.since_time = count, event.time
    return _recover(state, rule, progress=False) if state.open else ()


def _recover(state: TrainingState, rule: TrainingRule, *, progress: bool) -> tuple[Finding, ...]:
    """Close what a finite loss, or one that moves, speaks against."""
    done = []
    if "LossNaN" in state.open:
        state.finite += 1
        if state.finite >= RECOVERED_AFTER:
            done.append("LossNaN")
    if progress:
        done += [name for name in ("BarrenPlateau", "TrainingStalled") if name in state.open]
    return tuple(recovered(state, name, rule) for name in done)


def _stall(state: TrainingState, loss: Loss, rule: TrainingRule, event: Event) -> tuple[Finding, ...]:
    waited = event.time - loss.since_time >= parse_duration(rule.stall_time)
    known = "BarrenPlateau" in state.open or "TrainingStalled" in state.open
    if known or not waited or not is_wanted(rule, "TrainingStalled"):
        return ()
    state.open.append("TrainingStalled")
    return (stalled(state, event, rule),)
