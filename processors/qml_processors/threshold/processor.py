"""The threshold processor: a user's own bound on a metric of a run, on costs, on counts and rates of events.

One series a run, and one of the project (its metrics without a run, and the sums over all its runs). A rule opens
when its bound has been broken for `for`: by the emitter's time between two values of one source, or, where no
further value comes, by the log's clock. It closes when a value keeps the bound again (after `keep_firing_for`), a
minute after the run ended, when the rule is gone or the last value keeps its new bound, and when nothing of the run
was received for two days (a killed run sends no end). Windows empty themselves by the log's clock (`tally`);
`absent` opens when a metric is not received any more and closes when it is (`absence`).

A metric older than the last one of the same source comes too late to say how things are: it is passed over.

NaN is neither above nor below: it leaves a rule as it is. Infinities are above or below every bound.
"""

from collections.abc import Iterable, Sequence

from qml_processors.base import Finding, Forget, Output, unpack_state
from qml_processors.threshold.absence import absence_moment, miss, receive
from qml_processors.threshold.bound import due_moment, find_end, hold, is_broken, is_void
from qml_processors.threshold.state import END_GRACE, SILENT_AFTER, ThresholdState, rule_id
from qml_processors.threshold.tally import drain, drain_moment, take_event
from qml_processors.threshold.wording import close_watch, open_watch
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Event, Job, MetricLogged, RunEnded, RunStarted, Session


class ThresholdProcessor:
    """A user's bounds; see the module for their rules."""

    name = "threshold"
    version = 1
    state = ThresholdState
    takes = (MetricLogged, Job, RunEnded, RunStarted, Session)
    by_run = (MetricLogged, Job, RunEnded, RunStarted, Session)
    labels = ("metric", "run", "project")

    def keys(self, event: Event) -> Sequence[str]:
        """The run's series for its metrics; the run's and the project's for jobs, sessions, starts and ends."""
        kind = event.data.__class__
        if kind is MetricLogged:
            return (event.context.runid or "",)
        if kind is Job or kind is RunEnded or kind is RunStarted or kind is Session:
            run = event.context.runid
            return (run, "") if run else ("",)
        return ()

    def open(self, key: str) -> ThresholdState:
        """Know nothing."""
        return ThresholdState(run=key)

    def apply(  # noqa: C901 - the hot loop is flat: a call costs as much as what it does
        self, state: ThresholdState, event: Event, rules: Rules
    ) -> Iterable[Output]:
        """Hold the event's metrics, or the sums that it changes, against every rule on them."""
        data = event.data
        state.seen = event.ingestedtime
        if not isinstance(data, MetricLogged):
            if isinstance(data, RunEnded) and (event.context.runid or "") == state.run:
                _end(state, event)
            for rule in rules.threshold:
                if not rule.metric:
                    return _count(state, event, rules)
            return ()
        if not rules.threshold:
            return ()
        state.project = event.project
        found: Iterable[Output] = ()
        values = data.values
        mark = (event.source, event.time, event.id)
        for rule in rules.threshold:
            metric = rule.metric
            value = values.get(metric)
            if value is None or not metric:
                if not metric:
                    if rule.event == "metric.logged" and (output := take_event(state, rule, event)) is not None:
                        found = (*found, output)
                    continue
                if metric not in data.nonfinite:
                    continue
                value = float(data.nonfinite[metric])
            if (rule.project is None or rule.project == event.project) and (
                rule.phase is None or rule.phase == data.phase
            ):
                output = hold(state, rule, value, event, mark) if rule.absent is None else receive(state, rule, event)
                if output is not None:
                    found = (*found, output)
        return found

    def opens(self, state: ThresholdState, event: Event, rules: Rules) -> bool:  # noqa: ARG002 - no state can tell
        """Whether a value breaks a bound, or a rule on sums is there."""
        data = event.data
        if data.__class__ is not MetricLogged:
            for rule in rules.threshold:  # noqa: SIM110 - a generator takes twice as long
                if not rule.metric:
                    return True
            return False
        if data.nonfinite:
            return True
        values = data.values
        for rule in rules.threshold:
            metric = rule.metric
            if not metric or ((value := values.get(metric)) is not None and is_broken(rule, value)):
                return True
        return False

    def next_timer(self, state: ThresholdState, rules: Rules) -> int | None:
        """Return the earliest instant at which a rule opens or closes by the log's clock, or the run is forgotten."""
        seen = state.seen
        ended = state.ended
        due = ended + END_GRACE if ended is not None else None if seen is None else seen + SILENT_AFTER
        if state.watches or state.tallies or state.received:
            for moment in _moments(state, rules):
                if moment is not None and (due is None or moment < due):
                    due = moment
        return due

    def on_timer(self, state: ThresholdState, due: int, rules: Rules) -> Iterable[Output]:
        """Open and close what is owed; forget the run a minute after its end."""
        found: list[Output] = []
        end = find_end(state)
        ending = end is not None and end <= due
        if not ending and state.ended is None:
            found += _drain(state, due, rules)
        known = {rule_id(rule): rule for rule in rules.threshold}
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
            state.tallies, state.received = {}, {}
            found.append(Forget())
        return found

    def migrate(self, raw: bytes, from_version: int) -> ThresholdState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _end(state: ThresholdState, event: Event) -> None:
    """Note the run's end; the project, with its sums over other runs, goes on."""
    if state.run or not state.tallies:
        state.ended = event.ingestedtime


def _count(state: ThresholdState, event: Event, rules: Rules) -> Iterable[Output]:
    """Let every rule on sums take the event."""
    found: Iterable[Output] = ()
    for rule in rules.threshold:
        if not rule.metric:
            output = take_event(state, rule, event)
            if output is not None:
                found = (*found, output)
    return found


def _moments(state: ThresholdState, rules: Rules) -> Iterable[int | None]:
    known = {rule_id(rule): rule for rule in rules.threshold}
    for name, watch in state.watches.items():
        yield due_moment(watch, known.get(name))
    if state.ended is None:
        for name in state.received:
            yield absence_moment(state, name, known.get(name))
    if state.tallies and state.ended is None:
        summed = _summed(rules)
        for name, tally in state.tallies.items():
            yield drain_moment(tally, summed.get(name))


def _drain(state: ThresholdState, due: int, rules: Rules) -> list[Finding]:
    """Empty the windows that have passed; open the absences that are due; drop what has no rule any more."""
    found: list[Finding | None] = []
    summed = _summed(rules)
    for name, tally in list(state.tallies.items()):
        rule = summed.get(name)
        moment = drain_moment(tally, rule)
        if moment == 0 or rule is None:
            del state.tallies[name]
        elif moment is not None and moment <= due:
            found.append(drain(state, rule, tally, due))
    known = {rule_id(rule): rule for rule in rules.threshold}
    for name in list(state.received):
        rule = known.get(name)
        moment = absence_moment(state, name, rule)
        if rule is None or moment == 0:
            del state.received[name]
        elif moment is not None and moment <= due:
            found.append(miss(state, name, rule))
    return [finding for finding in found if finding is not None]


def _summed(rules: Rules) -> dict[str, ThresholdRule]:
    return {rule.name: rule for rule in rules.threshold if not rule.metric}
