"""What a threshold's finding says."""

from typing import Literal

from qml_processors.base import Finding
from qml_processors.threshold.state import ThresholdState, Watch
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule


def open_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule) -> Finding:
    """Open a watch and say so."""
    watch.open, watch.severity = True, rule.severity
    return _finding("opened", state, name, watch, rule)


def close_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None, reason: str) -> Finding:
    """Say that a watch closes, and why."""
    return _finding("closed", state, name, watch, rule, reason)


def _finding(
    transition: Literal["opened", "closed"],
    state: ThresholdState,
    name: str,
    watch: Watch,
    rule: ThresholdRule | None,
    reason: str | None = None,
) -> Finding:
    values = {"bound": watch.bound}
    if watch.value is not None:
        values["value"] = watch.value
    labels = {"metric": watch.metric, "run": state.run, "project": state.project}
    return Finding(
        transition=transition,
        rule=name,
        severity=watch.severity or (rule.severity if rule is not None else "warning"),
        labels={key: label for key, label in labels.items() if label},
        annotations=_annotations(state, name.rpartition("/")[2], watch, rule, reason),
        values=values,
        evidence=list(watch.evidence),
        reason=reason,
    )


def _annotations(
    state: ThresholdState, direction: str, watch: Watch, rule: ThresholdRule | None, reason: str | None
) -> dict[str, str]:
    opened = reason is None
    texts = {"summary": _summary(state, direction, watch, rule, reason)}
    if opened and watch.job:
        texts["job"] = watch.job
    if opened and direction == "absent":
        texts["description"] = (
            "By the clock of the log. Is the process alive, does it wait in a queue, and does its spool arrive "
            "(quantum-mlops doctor)? A run that was killed sends no end."
        )
    return texts


def _summary(
    state: ThresholdState, direction: str, watch: Watch, rule: ThresholdRule | None, reason: str | None
) -> str:
    where = f"run {state.run}" if state.run else "no run"
    if rule is not None and rule.kind != "metric" and not state.run:
        where = f"project {state.project}" if state.project else "no project"
    if reason is None and watch.job:
        where += f", last job {watch.job}"
    if direction == "absent":
        if reason is not None:
            again = reason == "received again"
            return f"{watch.metric} is {reason if again else f'no longer waited for: {reason}'} ({where})"
        waited = rule.absent if rule is not None else f"{watch.bound:g} s"
        return f"{watch.metric} was not received for {waited} ({where}, which sent no end)"
    value = "not finite" if watch.value is None else f"{watch.value:.4g}"
    bound = f"{watch.bound:g}"
    if reason is not None and reason != "bound kept":
        return f"{watch.metric} is no longer watched: {reason} ({where}, last {value}, bound {bound})"
    if reason is not None:
        return f"{watch.metric} is no longer {direction} {bound} ({where}, now {value})"
    lasting = f" for {rule.for_}" if rule is not None and parse_duration(rule.for_) else ""
    return f"{watch.metric} is {value}, {direction} {bound}{lasting} ({where})"
