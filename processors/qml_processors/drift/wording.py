"""What a CircuitDrift finding says: labels, numbers, and text for the person who reads it at night."""

from typing import Literal

from qml_processors.base import Finding
from qml_processors.drift.changes import Change, describe_changes, rank_changes
from qml_processors.drift.state import DriftState, unpack_columns
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import DriftRule
from quantum_mlops.events import Event, ShotsMeasured
from quantum_mlops.stats import estimate_distance, pair
from quantum_mlops.timestamps import format_time

RULE = "CircuitDrift"
NOT_CHARTED = "CircuitDriftNotCharted"
CONFIDENCE = 0.95

Transition = Literal["opened", "updated", "closed"]


def labels_of(event: Event, data: ShotsMeasured) -> dict[str, str]:
    """Return what identifies the alert: only what is the same for every execution of the series."""
    labels = {"backend": data.backend, "qubits": _qubits(data), "circuit": data.circuit[:15]}
    if event.project:
        labels["project"] = event.project
    return labels


def drift_finding(
    transition: Transition, state: DriftState, event: Event, data: ShotsMeasured, rule: DriftRule, null: float
) -> Finding:
    """Say what the suspects show against the reference."""
    cells = pair(state.reference, dict(zip(state.suspects.pool.outcomes, state.suspects.pool.counts, strict=True)),
                 state.suspects.pool.rest)  # fmt: skip
    distance = estimate_distance(cells, CONFIDENCE)
    changes: list[Change] = []
    if transition != "closed":
        changes = rank_changes(unpack_columns(state.calm_values), unpack_columns(state.values))
    seen = state.suspects.pool.samples
    where = f"{data.backend} qubits {_qubits(data)}"
    interval = f"{CONFIDENCE:.0%} interval {distance.low:.3f} to {distance.high:.3f}"
    numbers = (
        f"Hellinger distance {distance.estimate:.3f} ({interval}) between the last {seen} executions and the "
        f"{state.reference.samples} of the reference; the minimum effect is {null:g}, declared false alarms "
        f"{rule.false_alarms}."
    )
    return Finding(
        transition=transition,
        rule=RULE,
        severity=rule.severity,
        labels=labels_of(event, data),
        annotations={
            "summary": _summary(transition, where, distance.estimate, null),
            "description": f"{_advice(transition, data)} {_calibration_text(transition, state)} {numbers}",
            **_places(event, data),
            **_calibrations(state),
        },
        values={
            "hellinger": distance.estimate,
            "hellinger_low": distance.low,
            "hellinger_high": distance.high,
            "minimum_effect": null,
            "shot_noise_floor": distance.floor,
            "shots": float(state.suspects.pool.shots),
            "executions": float(seen),
            "reference_executions": float(state.reference.samples),
        },
        details={"changed_calibrations": describe_changes(changes)} if changes else {},
        evidence=list(state.suspects.evidence),
        reason="recovered" if transition == "closed" else None,
    )


def not_charted(state: DriftState, event: Event, data: ShotsMeasured) -> Finding:
    """Say once that this execution cannot be compared, and why."""
    return Finding(
        transition="notice",
        rule=NOT_CHARTED,
        severity="info",
        labels=labels_of(event, data),
        annotations={
            "summary": f"{data.backend} qubits {_qubits(data)}: the canary cannot be charted",
            "description": (
                f"{data.shots} shots over so many outcomes leave none expected 5 times or more. "
                "Use more shots, fewer qubits, or a circuit with fewer likely outcomes."
            ),
        },
        values={"shots": float(data.shots), "reference_outcomes": float(len(state.reference.outcomes))},
    )


def _summary(transition: Transition, where: str, effect: float, null: float) -> str:
    if transition == "closed":
        return f"{where}: outcomes are back within {null:g} of the reference (now {effect:.3f})"
    return f"{where}: outcomes moved by {effect:.3f} (Hellinger), more than {null:g}"


def _advice(transition: Transition, data: ShotsMeasured) -> str:
    if transition == "closed":
        return "Results on these qubits can be trusted again as before."
    what = "canary" if data.reference == "canary" else "repeated circuit"
    return (
        f"The {what}, a fixed circuit on fixed qubits, gives other outcomes than it did: results of jobs on these "
        "qubits are in doubt since then. Look at the backend's status, move to other qubits, or pause until it is "
        "recalibrated."
    )


def _places(event: Event, data: ShotsMeasured) -> dict[str, str]:
    """Return where it was seen: what ran, in which run, on which host (of our own sources)."""
    places = {"execution": f"{data.reference or 'reference'} {data.circuit_name or data.circuit}"}
    if event.context.runid:
        places["run"] = event.context.runid
    if event.source.startswith("qml://"):
        places["host"] = event.source.split("/")[2]
    return places


def _calibrations(state: DriftState) -> dict[str, str]:
    """Return the footprint's calibrations before and now, each with the day of its newest value where that is known."""
    known = {
        "calibration_before": (state.calm, state.calm_values),
        "calibration_after": (state.current, state.values),
    }
    return {name: _dated(identity, values) for name, (identity, values) in known.items() if identity}


def _dated(identity: str, values: bytes) -> str:
    times = [time for column in unpack_columns(values) for time in column.times if time is not None]
    return f"{identity} ({format_time(int(max(times)) * SECOND)[:10]})" if times else identity


def _calibration_text(transition: Transition, state: DriftState) -> str:
    if transition == "closed":
        return "The recent executions are in control again."
    if not state.current or not state.calm:
        return "The backend gave no calibration values."
    if state.current == state.calm:
        return "The calibration of these qubits did not change meanwhile."
    if not state.values or not state.calm_values:
        return "The device was recalibrated meanwhile; the values were not received."
    return (
        "The device was recalibrated meanwhile; the values that changed are ranked, which does not make the first "
        "the cause."
    )


def _qubits(data: ShotsMeasured) -> str:
    return "-".join(map(str, data.footprint.qubits)) if data.footprint else "unknown"
