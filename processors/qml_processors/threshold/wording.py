"""What a threshold's finding says."""

import msgspec

from qml_processors.base import Finding
from qml_processors.threshold.state import ThresholdState, Watch
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule


def open_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule) -> Finding:
    """Open a watch and say so."""
    watch.open = True
    return _finding("opened", state, name, watch, rule)


def close_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None, reason: str) -> Finding:
    """Say that a watch closes, and why."""
    return msgspec.structs.replace(_finding("closed", state, name, watch, rule), reason=reason)


def _finding(transition: str, state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None) -> Finding:
    opened = transition == "opened"
    values = {"bound": watch.bound}
    if watch.value is not None:
        values["value"] = watch.value
    labels = {"metric": watch.metric, "run": state.run, "project": state.project}
    return Finding(
        transition="opened" if opened else "closed",
        rule=name,
        severity=rule.severity if rule is not None else "warning",
        labels={key: label for key, label in labels.items() if label},
        annotations=_annotations(state, name.rpartition("/")[2], watch, rule, opened=opened),
        values=values,
        evidence=list(watch.evidence),
    )


def _annotations(
    state: ThresholdState, direction: str, watch: Watch, rule: ThresholdRule | None, *, opened: bool
) -> dict[str, str]:
    texts = {"summary": _summary(state, direction, watch, rule, opened=opened)}
    if opened and watch.job:
        texts["job"] = watch.job
    if opened and direction == "absent":
        texts["description"] = (
            "By the clock of the log. Is the process alive, does it wait in a queue, and does its spool arrive "
            "(quantum-mlops doctor)? A run that was killed sends no end."
        )
    return texts


def _summary(state: ThresholdState, direction: str, watch: Watch, rule: ThresholdRule | None, *, opened: bool) -> str:
    where = f"run {state.run}" if state.run else "no run"
    if rule is not None and rule.kind != "metric" and not state.run:
        where = f"project {state.project}" if state.project else "no project"
    if opened and watch.job:
        where += f", last job {watch.job}"
    if direction == "absent":
        if not opened:
            return f"{watch.metric} is no longer watched for, or is received again ({where})"
        waited = rule.absent if rule is not None else f"{watch.bound:g} s"
        return f"{watch.metric} was not received for {waited} ({where}, which sent no end)"
    value = "not finite" if watch.value is None else f"{watch.value:.4g}"
    bound = f"{watch.bound:g}"
    if not opened:
        return f"{watch.metric} is no longer {direction} {bound} ({where}, now {value})"
    lasting = f" for {rule.for_}" if rule is not None and parse_duration(rule.for_) else ""
    return f"{watch.metric} is {value}, {direction} {bound}{lasting} ({where})"
