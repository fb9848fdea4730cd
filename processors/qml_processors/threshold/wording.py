"""What a threshold's finding says."""

import msgspec

from qml_processors.base import Finding
from qml_processors.threshold.state import ThresholdState, Watch
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule


def rule_id(rule: ThresholdRule) -> str:
    """Return the finding's rule: the name with its direction.

    >>> rule_id(ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8))
    'LowAccuracy/below'
    """
    return f"{rule.name}/{'above' if rule.above is not None else 'below'}"


def open_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule) -> Finding:
    """Open a watch and say so."""
    watch.open = True
    return _finding("opened", state, name, watch, rule)


def close_watch(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None, reason: str) -> Finding:
    """Say that a watch closes, and why."""
    return msgspec.structs.replace(_finding("closed", state, name, watch, rule), reason=reason)


def _finding(transition: str, state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None) -> Finding:
    direction = name.rpartition("/")[2]
    value = "not finite" if watch.value is None else f"{watch.value:.4g}"
    lasting = f" for {rule.for_}" if rule is not None and parse_duration(rule.for_) else ""
    where = f"run {state.run}" if state.run else "no run"
    bound = f"{watch.bound:g}"
    text = (
        f"{watch.metric} is {value}, {direction} {bound}{lasting} ({where})"
        if transition == "opened"
        else f"{watch.metric} is no longer {direction} {bound} ({where}, now {value})"
    )
    values = {"bound": watch.bound}
    if watch.value is not None:
        values["value"] = watch.value
    labels = {"metric": watch.metric, "run": state.run, "project": state.project}
    return Finding(
        transition="opened" if transition == "opened" else "closed",
        rule=name,
        severity=rule.severity if rule is not None else "warning",
        labels={key: label for key, label in labels.items() if label},
        annotations={"summary": text},
        values=values,
        evidence=list(watch.evidence),
    )
