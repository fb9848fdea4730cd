"""What the findings on a training say: numbers, and text for the person who reads it at night."""

from collections.abc import Mapping

from qml_processors.base import Finding
from qml_processors.training.state import TrainingState
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Severity, TrainingRule
from quantum_mlops.events import Event

_SIGMA = 1 / 1.128
_CLOSED = {
    "LossNaN": "the loss is finite again",
    "GradientExplosion": "the gradient is back at its former size",
    "BarrenPlateau": "the gradient, or the loss, moves again",
    "TrainingStalled": "the loss moves again",
}


def not_finite(state: TrainingState, kind: str, event: Event, rule: TrainingRule) -> Finding:
    """Say which loss is not finite, and what the last finite one was."""
    loss, metric = state.loss, state.nan_metric
    known = loss.metric == metric and loss.count > 0
    last = f"{loss.last:.4g}{_at(loss.step)}" if known else "not received"
    values = {"last_finite": loss.last} if known else {}
    if known and loss.step is not None:
        values["last_finite_step"] = float(loss.step)
    return _opened(
        state,
        "LossNaN",
        rule,
        f"{_run(state)}: {metric} is {kind}{_at(event.context.step)}; the last finite value was {last}",
        "Every later step is lost: stop the run and start again from the last checkpoint before this step. Look for a "
        "step too large, a logarithm of a probability of zero (clip it by the shots), or a result without shots.",
        values,
        event,
    )


def exploded(
    state: TrainingState, norm: float, middle: float, limit: float, event: Event, rule: TrainingRule
) -> Finding:
    """Say how large the gradient is against its own history."""
    return _opened(
        state,
        "GradientExplosion",
        rule,
        f"{_run(state)}: the gradient's norm is {norm:.3g}{_at(event.context.step)}, "
        f"{norm / max(middle, 1e-300):.0f} times its median",
        f"The median of {len(state.gradient.logs)} former norms is {middle:.3g}, the limit {limit:.3g}; the loss "
        f"is {_loss(state)} and not falling. Lower the learning rate or clip the gradient; see whether the device or "
        f"the data changed at this step. Declared false alarms {rule.false_alarms}.",
        {"norm": norm, "median": middle, "limit": limit},
        event,
    )


def vanished(state: TrainingState, limit: float, event: Event, rule: TrainingRule) -> Finding:
    """Say that the gradient vanishes while the loss has not moved since the start."""
    gradient, loss = state.gradient, state.loss
    noise = loss.noise * _SIGMA
    return _opened(
        state,
        "BarrenPlateau",
        rule,
        f"{_run(state)}: the gradient has vanished for {gradient.low} steps and {loss.metric} never moved",
        f"A component is {gradient.level:.3g} (root mean square), not above {limit:.3g}; {loss.metric} is still at "
        f"{loss.mean:.4g}, its start was {loss.start:.4g}, its noise is {noise:.2g}. Look at the first gradients: was "
        "the start random on many qubits? Try fewer layers, a local cost, a start near the identity, or more shots. A "
        "learning rate far too small looks the same.",
        {
            "gradient": gradient.level,
            "limit": limit,
            "gradient_start": gradient.start,
            "loss": loss.mean,
            "noise": noise,
        },
        event,
    )


def stalled(state: TrainingState, event: Event, rule: TrainingRule) -> Finding:
    """Say that the loss has not improved for long."""
    loss = state.loss
    noise = loss.noise * _SIGMA
    steps = loss.count - loss.since
    since = "since its start" if not loss.moved else f"since it was {loss.best:.4g}"
    minutes = max(0.0, (event.time - loss.since_time) / SECOND / 60)
    return _opened(
        state,
        "TrainingStalled",
        rule,
        f"{_run(state)}: {loss.metric} has not improved for {steps} steps ({minutes:.0f} min), {since}",
        f"It is {loss.mean:.4g} smoothed; its noise is {noise:.2g}, and a change below {1.5 * noise:.2g} is none. Stop "
        "the run if it is converged, it only costs; else look at the learning rate, the start and the gradient.",
        {"loss": loss.mean, "best": loss.best, "noise": noise, "steps": float(steps)},
        event,
    )


def recovered(state: TrainingState, name: str, rule: TrainingRule) -> Finding:
    """Close a finding that its own numbers speak against."""
    return closed(state, name, _CLOSED[name], "recovered", rule)


def closed(state: TrainingState, name: str, text: str, reason: str, rule: TrainingRule) -> Finding:
    """Close a finding and take it off the state."""
    state.open.remove(name)
    return Finding(
        transition="closed",
        rule=name,
        severity=severity_of(name, rule),
        labels=_labels(state),
        annotations={"summary": f"{_run(state)}: {text}"},
        reason=reason,
    )


def severity_of(name: str, rule: TrainingRule) -> Severity:
    """Return how severe the rules call a finding."""
    match name:
        case "LossNaN":
            return rule.loss_nan_severity
        case "GradientExplosion":
            return rule.explosion_severity
        case "BarrenPlateau":
            return rule.plateau_severity
        case _:
            return rule.stall_severity


def _opened(
    state: TrainingState,
    name: str,
    rule: TrainingRule,
    summary: str,
    description: str,
    values: Mapping[str, float],
    event: Event,
) -> Finding:
    return Finding(
        transition="opened",
        rule=name,
        severity=severity_of(name, rule),
        labels=_labels(state),
        annotations={"summary": summary, "description": description},
        values=dict(values),
        evidence=[event.key],
    )


def _labels(state: TrainingState) -> dict[str, str]:
    labels = {"run": state.run, "project": state.project}
    return {key: label for key, label in labels.items() if label}


def _run(state: TrainingState) -> str:
    return f"run {state.run}"


def _at(step: int | None) -> str:
    return "" if step is None else f" at step {step}"


def _loss(state: TrainingState) -> str:
    return f"{state.loss.last:.4g}" if state.loss.metric else "not received"
