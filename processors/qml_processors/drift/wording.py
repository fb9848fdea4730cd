"""What a CircuitDrift finding says: labels, numbers, and text for the person who reads it at night."""

from typing import Literal

from qml_processors.base import Finding
from qml_processors.drift.changes import Change, describe_changes, rank_changes
from qml_processors.drift.state import DriftState, unpack_columns
from quantum_mlops.config.rules import DriftRule
from quantum_mlops.events import Event, ShotsMeasured
from quantum_mlops.stats import estimate_distance, pair

RULE = "CircuitDrift"
NOT_CHARTED = "CircuitDriftNotCharted"
CONFIDENCE = 0.95
ABSENT = "absent"

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
    effect = f"Hellinger distance {distance.estimate:.3f} ({interval})"
    return Finding(
        transition=transition,
        rule=RULE,
        severity=rule.severity,
        labels=labels_of(event, data),
        annotations={
            "summary": _summary(transition, where, distance.estimate, null),
            "description": (
                f"{effect} from the reference of {state.reference.samples} executions, over the last {seen}; "
                f"the minimum effect is {null:g}. Declared false alarms: {rule.false_alarms}. "
                f"{_calibration_text(transition, state)}"
            ),
            "execution": f"{data.reference or 'reference'} {data.circuit_name or data.circuit}",
            "calibration_before": state.calm or ABSENT,
            "calibration_after": state.current or ABSENT,
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


def _calibration_text(transition: Transition, state: DriftState) -> str:
    if transition == "closed":
        return "The chart of the recent executions is back in control."
    if not state.current or not state.calm:
        return "The backend gave no calibration values."
    if state.current == state.calm:
        return "The footprint's calibration did not change meanwhile."
    if not state.values or not state.calm_values:
        return "The footprint was recalibrated; the values were not received."
    return (
        "The footprint was recalibrated; the values that changed are ranked, which does not make the first the cause."
    )


def _qubits(data: ShotsMeasured) -> str:
    return "-".join(map(str, data.footprint.qubits)) if data.footprint else "unknown"
