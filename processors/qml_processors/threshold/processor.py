"""The threshold processor: a user's own bound on a metric of a run.

One series a run. A rule opens when its bound has been broken for `for`: by the emitter's time between
two values of one source, or, where no further value comes, by the log's clock. It closes when a value
keeps the bound again (after `keep_firing_for`), a minute after the run ended, when the rule is gone or the
last value keeps its new bound, and when the run sent no metric for two days (a killed run sends no end).

A value older than the last one of the same source comes too late to say how things are: it is passed over.

NaN is neither above nor below: it leaves a rule as it is. Infinities are above or below every bound.
"""

from collections.abc import Iterable, Sequence

from qml_processors.base import Forget, Output, unpack_state
from qml_processors.threshold.bound import due_moment, find_end, hold, is_void
from qml_processors.threshold.state import SILENT_AFTER, ThresholdState
from qml_processors.threshold.wording import close_watch, open_watch, rule_id
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import Event, MetricLogged, RunEnded


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
                output = hold(state, rule, value, event)
                if output is not None:
                    found = (*found, output)
        return found

    def next_timer(self, state: ThresholdState, rules: Rules) -> int | None:
        """Return the earliest instant at which a rule opens or closes by the log's clock, or the run is forgotten."""
        seen = state.seen
        due = find_end(state) if seen is None or state.ended is not None else seen + SILENT_AFTER
        if state.watches:
            known = {rule_id(rule): rule for rule in rules.threshold}
            for name, watch in state.watches.items():
                moment = due_moment(watch, known.get(name))
                if moment is not None and (due is None or moment < due):
                    due = moment
        return due

    def on_timer(self, state: ThresholdState, due: int, rules: Rules) -> Iterable[Output]:
        """Open and close what is owed; forget the run a minute after its end."""
        found: list[Output] = []
        known = {rule_id(rule): rule for rule in rules.threshold}
        end = find_end(state)
        ending = end is not None and end <= due
        ended = "run ended" if state.ended is not None else "run silent"
        for name, watch in list(state.watches.items()):
            rule = known.get(name)
            moment = due_moment(watch, rule)
            if ending or rule is None or is_void(watch, rule):
                if watch.open:
                    reason = "rule removed" if rule is None else ended if ending else "rule changed"
                    found.append(close_watch(state, name, watch, rule, reason))
                del state.watches[name]
            elif moment is not None and moment <= due:
                if watch.open:
                    found.append(close_watch(state, name, watch, rule, "bound kept"))
                    del state.watches[name]
                else:
                    found.append(open_watch(state, name, watch, rule))
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
