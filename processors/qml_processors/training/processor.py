"""The training processor: what the losses and gradients of one run say about its training.

One series a run. `loss` and `gradient` hold the methods and their rates of false alarms. What closes:

- LossNaN: ten finite losses in a row;
- GradientExplosion: ten norms in a row under the limit;
- BarrenPlateau: the loss moves, or ten gradients in a row no longer vanish;
- TrainingStalled: the loss improves, or moves for the first time;
- all: a minute after the run's end, after two days without a metric, when the rule is off.

Values of the phases `validate` and `serve` and those without a run are no training. A value older than
the last of the same source is passed over.
"""

from collections.abc import Iterable, Sequence

from qml_processors.base import Forget, Output, unpack_state
from qml_processors.training.gradient import take_gradient
from qml_processors.training.loss import take_loss, take_nonfinite
from qml_processors.training.state import END_GRACE, SILENT_AFTER, Loss, TrainingState, is_wanted
from qml_processors.training.wording import closed
from quantum_mlops.config.rules import Rules, TrainingRule
from quantum_mlops.events import Event, MetricLogged, RunEnded


class TrainingProcessor:
    """LossNaN, GradientExplosion, BarrenPlateau and TrainingStalled; see the module for their rules."""

    name = "training"
    version = 1
    state = TrainingState
    takes = by_run = (MetricLogged, RunEnded)
    labels = ("run", "project")

    def keys(self, event: Event) -> Sequence[str]:
        """One series a run: its metrics and its end."""
        kind = event.data.__class__
        if kind is MetricLogged or kind is RunEnded:
            run = event.context.runid
            return (run,) if run else ()
        return ()

    def open(self, key: str) -> TrainingState:
        """Know nothing."""
        return TrainingState(run=key)

    def apply(self, state: TrainingState, event: Event, rules: Rules) -> Iterable[Output]:
        """Follow the event's loss and gradient."""
        data = event.data
        state.seen = event.ingestedtime
        rule = rules.training
        if not isinstance(data, MetricLogged):
            state.ended = event.ingestedtime
            return ()
        phase = data.phase
        if not rule.enabled or (phase is not None and phase != "train"):
            return ()
        found: tuple[Output, ...] = ()
        loss = state.loss
        metric = loss.metric
        value = data.values.get(metric) if metric else _choose(state, event, data, rule.loss_metrics)
        if value is not None:
            if loss.metric in rule.loss_metrics:
                found = take_loss(state, loss, value, event, rule)
            else:
                found = _drop_loss(state, rule)
        if data.nonfinite:
            found += take_nonfinite(state, data, event, rule)
        if data.gradient is not None:
            found += take_gradient(state, data.gradient, event, rule)
        return found

    def opens(self, state: TrainingState, event: Event, rules: Rules) -> bool:
        """Whether it is a gradient, is not finite, or comes after enough losses for a stall."""
        data = event.data
        if data.__class__ is not MetricLogged:
            return False
        loss = state.loss
        return (
            data.gradient is not None
            or loss.count - loss.since >= rules.training.stall_steps - 1
            or bool(data.nonfinite)
        )

    def next_timer(self, state: TrainingState, rules: Rules) -> int | None:
        """Ask at once where an open finding's rule is off; else when the run is over."""
        if state.open and not all(is_wanted(rules.training, name) for name in state.open):
            return 0
        seen = state.seen
        return seen + SILENT_AFTER if seen is not None and state.ended is None else _end(state)

    def on_timer(self, state: TrainingState, due: int, rules: Rules) -> Iterable[Output]:
        """Close what is owed; forget the run a minute after its end."""
        found: list[Output] = []
        rule = rules.training
        end = _end(state)
        ending = end is not None and end <= due
        over = "run ended" if state.ended is not None else "run silent"
        for name in list(state.open):
            if not is_wanted(rule, name):
                found.append(closed(state, name, f"{name} is switched off", "rule disabled", rule))
            elif ending:
                found.append(closed(state, name, over, over, rule))
        if ending:
            state.ended = state.seen = None
            found.append(Forget())
        return found

    def migrate(self, raw: bytes, from_version: int) -> TrainingState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _choose(state: TrainingState, event: Event, data: MetricLogged, names: Sequence[str]) -> float | None:
    """Take the first of the names that is there for the run's loss."""
    state.project = event.project
    for name in names:
        value = data.values.get(name)
        if value is not None:
            state.loss.metric = name
            return value
    return None


def _drop_loss(state: TrainingState, rule: TrainingRule) -> tuple[Output, ...]:
    """The rules no longer call this metric a loss: start anew with another."""
    state.loss = Loss()
    return tuple(
        closed(state, name, "another metric is its loss now", "rule changed", rule)
        for name in ("BarrenPlateau", "TrainingStalled")
        if name in state.open
    )


def _end(state: TrainingState) -> int | None:
    """When the run is forgotten: a minute after its end, else when it has been silent for long."""
    if state.ended is not None:
        return state.ended + END_GRACE
    return None if state.seen is None else state.seen + SILENT_AFTER
