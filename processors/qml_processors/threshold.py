"""The threshold processor: a user's own bound on a metric of a run.

One series a run. A rule opens when its bound has been broken for `for`: by the emitter's time between
two values of one source, or, where no further value comes, by the log's clock. It closes when a value
keeps the bound again (after `keep_firing_for`), a minute after the run ended, when the rule is gone or the
last value keeps its new bound, and when the run sent no metric for two days (a killed run sends no end).

A value older than the last one of the same source comes too late to say how things are: it is passed over.

NaN is neither above nor below: it leaves a rule as it is. Infinities are above or below every bound.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from qml_processors.base import Finding, Forget, Output, unpack_state
from quantum_mlops.clock import DAY, MINUTE
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Event, MetricLogged, RunEnded

END_GRACE = MINUTE
"""Values of a run that were spooled before its end may be appended after it."""
SILENT_AFTER = 2 * DAY
"""A run without metrics for so long is over, even if nobody said so."""


class Watch(Struct, gc=False):
    """One rule that has something to remember: broken, open, or kept again but still firing.

    Times of the emitter and of the log, in nanoseconds; None where the phase has not begun.
    """

    source: str = ""
    broken: int | None = None
    broken_ingested: int | None = None
    kept: int | None = None
    kept_ingested: int | None = None
    open: bool = False
    value: float | None = None
    metric: str = ""
    bound: float = 0.0
    evidence: list[tuple[str, str]] = field(default_factory=list)


class ThresholdState(Struct, gc=False):
    """The watches of one run by rule (`<name>/below`), and when the run's end was heard of.

    `latest` holds (source, time, id) of the value that each rule last saw; `seen` is the log's time of the last event.
    """

    run: str = ""
    project: str = ""
    watches: dict[str, Watch] = field(default_factory=dict)
    ended: int | None = None
    seen: int | None = None
    latest: dict[str, tuple[str, int, str]] = field(default_factory=dict)


class ThresholdProcessor:
    """A user's bounds on metrics; see the module for its rules."""

    name = "threshold"
    version = 1
    state = ThresholdState

    def keys(self, event: Event) -> Sequence[str]:
        """One series a run: its metrics and its end."""
        kind = event.data.__class__
        return (event.context.runid or "",) if kind is MetricLogged or kind is RunEnded else ()

    def open(self, key: str) -> ThresholdState:
        """Know nothing."""
        return ThresholdState(run=key)

    def apply(self, state: ThresholdState, event: Event, rules: Rules) -> Iterable[Output]:
        """Hold the event's metrics against every rule on them."""
        data = event.data
        state.seen = event.ingestedtime
        if isinstance(data, RunEnded):
            state.ended = event.ingestedtime
            return ()
        if not rules.threshold or not isinstance(data, MetricLogged):
            return ()
        state.project = event.project
        found: Iterable[Output] = ()
        values = data.values
        for rule in rules.threshold:
            value = values.get(rule.metric)
            if value is None:
                if rule.metric not in data.nonfinite:
                    continue
                value = float(data.nonfinite[rule.metric])
            if (rule.project is None or rule.project == event.project) and (
                rule.phase is None or rule.phase == data.phase
            ):
                output = _hold(state, rule, value, event)
                if output is not None:
                    found = (*found, output)
        return found

    def next_timer(self, state: ThresholdState, rules: Rules) -> int | None:
        """Return the earliest instant at which a rule opens or closes by the log's clock, or the run is forgotten."""
        seen = state.seen
        due = _end(state) if seen is None or state.ended is not None else seen + SILENT_AFTER
        if state.watches:
            known = {rule_id(rule): rule for rule in rules.threshold}
            for name, watch in state.watches.items():
                moment = _moment(watch, known.get(name))
                if moment is not None and (due is None or moment < due):
                    due = moment
        return due

    def on_timer(self, state: ThresholdState, due: int, rules: Rules) -> Iterable[Output]:
        """Open and close what is owed; forget the run a minute after its end."""
        found: list[Output] = []
        known = {rule_id(rule): rule for rule in rules.threshold}
        end = _end(state)
        ending = end is not None and end <= due
        ended = "run ended" if state.ended is not None else "run silent"
        for name, watch in list(state.watches.items()):
            rule = known.get(name)
            moment = _moment(watch, rule)
            if ending or rule is None or _is_void(watch, rule):
                if watch.open:
                    reason = "rule removed" if rule is None else ended if ending else "rule changed"
                    found.append(_close(state, name, watch, rule, reason))
                del state.watches[name]
            elif moment is not None and moment <= due:
                if watch.open:
                    found.append(_close(state, name, watch, rule, "bound kept"))
                    del state.watches[name]
                else:
                    found.append(_open(state, name, watch, rule))
        if ending:
            state.ended = state.seen = None
            found.append(Forget())
        return found

    def migrate(self, raw: bytes, from_version: int) -> ThresholdState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def rule_id(rule: ThresholdRule) -> str:
    """Return the finding's rule: the name with its direction.

    >>> rule_id(ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8))
    'LowAccuracy/below'
    """
    return f"{rule.name}/{'above' if rule.above is not None else 'below'}"


def _is_broken(rule: ThresholdRule, value: float) -> bool:
    if rule.above is not None:
        return value > rule.above
    return rule.below is not None and value < rule.below


def _hold(state: ThresholdState, rule: ThresholdRule, value: float, event: Event) -> Finding | None:
    """Hold one value against one rule."""
    if value != value:  # noqa: PLR0124 - NaN; a call would cost as much as all the rest of a value that keeps its bound
        return None
    name = rule_id(rule)
    mark = (event.source, event.time, event.id)
    latest = state.latest.get(name)
    if latest is not None and latest > mark and latest[0] == mark[0]:
        return None
    state.latest[name] = mark
    watch = state.watches.get(name)
    if not _is_broken(rule, value):
        return None if watch is None else _keep(state, name, watch, rule, value, event)
    if watch is None:
        watch = state.watches[name] = Watch()
    watch.value, watch.metric = value if math.isfinite(value) else None, rule.metric
    watch.bound = _bound(rule)
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
    return _open(state, name, watch, rule)


def _keep(
    state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule, value: float, event: Event
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
    return _close(state, name, watch, rule, "bound kept")


def _end(state: ThresholdState) -> int | None:
    """When the run is forgotten: a minute after its end, else when it has been silent for long."""
    if state.ended is not None:
        return state.ended + END_GRACE
    return None if state.seen is None else state.seen + SILENT_AFTER


def _is_void(watch: Watch, rule: ThresholdRule) -> bool:
    """Tell whether the rule was changed into one that the watch's last value does not break."""
    if rule.metric != watch.metric:
        return True
    return watch.kept is None and watch.value is not None and not _is_broken(rule, watch.value)


def _moment(watch: Watch, rule: ThresholdRule | None) -> int | None:
    """When the log's clock alone makes a watch open or close; the past where its rule is gone."""
    if rule is None or _is_void(watch, rule):
        return 0
    if watch.open:
        return None if watch.kept_ingested is None else watch.kept_ingested + parse_duration(rule.keep_firing_for)
    return None if watch.broken_ingested is None else watch.broken_ingested + parse_duration(rule.for_)


def _open(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule) -> Finding:
    watch.open = True
    return _finding("opened", state, name, watch, rule)


def _close(state: ThresholdState, name: str, watch: Watch, rule: ThresholdRule | None, reason: str) -> Finding:
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


def _bound(rule: ThresholdRule) -> float:
    bound = rule.above if rule.above is not None else rule.below
    return 0.0 if bound is None else float(bound)
