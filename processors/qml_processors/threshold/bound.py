"""One value held against one bound, and when the log's clock alone makes a bound open or close."""

import math

from qml_processors.base import Finding
from qml_processors.threshold.state import (
    END_GRACE,
    SILENT_AFTER,
    Sight,
    ThresholdState,
    Watch,
    rule_id,
    subject_of,
)
from qml_processors.threshold.wording import close_watch, open_watch
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule
from quantum_mlops.events import Event, Job

Mark = tuple[str, int, str]


def is_broken(rule: ThresholdRule, value: float) -> bool:
    """Tell whether a value breaks the rule's bound."""
    if rule.above is not None:
        return value > rule.above
    return rule.below is not None and value < rule.below


def hold(state: ThresholdState, rule: ThresholdRule, value: float, event: Event, mark: Mark) -> Finding | None:
    """Hold one value against one rule; `mark` is the event's (source, time, id)."""
    if value != value:  # noqa: PLR0124 - NaN; a call would cost as much as all the rest of a value that keeps its bound
        return None
    above = rule.above
    name = rule_id(rule) if above is None else rule.name + "/above"
    latest = state.latest.get(name)
    if latest is not None and latest > mark and latest[0] == mark[0]:
        return None
    state.latest[name] = mark
    if (value > above) if above is not None else is_broken(rule, value):
        return _break(state, name, rule, value, event)
    if not state.watches:
        return None
    watch = state.watches.get(name)
    return None if watch is None else _keep(state, name, watch, rule, value, event)


def weigh(state: ThresholdState, rule: ThresholdRule, value: float, event: Event | Sight) -> Finding | None:
    """Hold a sum against its rule: the order of its events does not matter, the sum is what is known now."""
    name = rule_id(rule)
    watch = state.watches.get(name)
    if is_broken(rule, value):
        return _break(state, name, rule, value, event)
    return None if watch is None else _keep(state, name, watch, rule, value, event)


def _break(state: ThresholdState, name: str, rule: ThresholdRule, value: float, event: Event | Sight) -> Finding | None:
    """A value breaks the bound."""
    watch = state.watches.get(name)
    if watch is None:
        watch = state.watches[name] = Watch()
    watch.value, watch.metric = value if math.isfinite(value) else None, subject_of(rule)
    watch.bound = bound_of(rule)
    watch.job = event.data.job_id if isinstance(event, Event) and isinstance(event.data, Job) else ""
    watch.kept = watch.kept_ingested = None
    if watch.broken is None:
        watch.source, watch.broken, watch.broken_ingested = event.source, event.time, event.ingestedtime
        watch.evidence = [event.key]
    if watch.open:
        return None
    waited = event.time - watch.broken if event.source == watch.source else 0
    if waited < parse_duration(rule.for_):
        return None
    if watch.evidence[-1] != event.key:
        watch.evidence.append(event.key)
    return open_watch(state, name, watch, rule)


def _keep(
    state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule, value: float, event: Event | Sight
) -> Finding | None:
    """A value keeps the bound again."""
    if not watch.open:
        del state.watches[name]
        return None
    watch.value = value if math.isfinite(value) else None
    if watch.kept is None:
        watch.source, watch.kept, watch.kept_ingested = event.source, event.time, event.ingestedtime
    waited = event.time - watch.kept if event.source == watch.source else 0
    if waited < parse_duration(rule.keep_firing_for):
        return None
    del state.watches[name]
    return close_watch(state, name, watch, rule, "bound kept")


def find_end(state: ThresholdState) -> int | None:
    """When the run is forgotten: a minute after its end, else when it has been silent for long."""
    if state.ended is not None:
        return state.ended + END_GRACE
    return None if state.seen is None else state.seen + SILENT_AFTER


def is_void(watch: Watch, rule: ThresholdRule) -> bool:
    """Tell whether the rule was changed into one that the watch's last value does not break."""
    if subject_of(rule) != watch.metric:
        return True
    return watch.kept is None and watch.value is not None and not is_broken(rule, watch.value)


def due_moment(watch: Watch, rule: ThresholdRule | None) -> int | None:
    """When the log's clock alone makes a watch open or close; the past where its rule is gone."""
    if rule is None or is_void(watch, rule):
        return 0
    if watch.open:
        return None if watch.kept_ingested is None else watch.kept_ingested + parse_duration(rule.keep_firing_for)
    return None if watch.broken_ingested is None else watch.broken_ingested + parse_duration(rule.for_)


def bound_of(rule: ThresholdRule) -> float:
    """Return the rule's bound, whichever side it is on."""
    bound = rule.above if rule.above is not None else rule.below
    return 0.0 if bound is None else float(bound)
