"""Missing data is a state: a metric that came, and then was not received for longer than the rule says.

By the log's clock alone. It begins only after the metric's first live value: what came more than five minutes
late, as a spool shipped at the end of a job, says nothing about what should come next.
"""

from qml_processors.base import Finding
from qml_processors.threshold.state import ThresholdState, Watch, rule_id
from qml_processors.threshold.wording import close_watch, open_watch
from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule
from quantum_mlops.events import Event

LIVE_WITHIN = 5 * MINUTE


def receive(state: ThresholdState, rule: ThresholdRule, event: Event) -> Finding | None:
    """Note that the metric came; close its absence."""
    name = rule_id(rule)
    now = event.ingestedtime or event.time
    if name not in state.received and now - event.time > LIVE_WITHIN:
        return None
    state.received[name] = (now, rule.metric, *event.key)
    watch = state.watches.pop(name, None)
    return None if watch is None else close_watch(state, name, watch, rule, "received again")


def absence_moment(state: ThresholdState, name: str, rule: ThresholdRule | None) -> int | None:
    """When the metric has been away for too long; the past where its rule is gone; None: the finding is open."""
    received, metric, _, _ = state.received[name]
    if rule is None or rule.metric != metric:
        return 0
    if name in state.watches:
        return None
    return received + parse_duration(rule.absent or "0s")


def miss(state: ThresholdState, name: str, rule: ThresholdRule) -> Finding:
    """Open: the metric was not received."""
    _, metric, source, identity = state.received[name]
    seconds = parse_duration(rule.absent or "0s") / SECOND
    watch = state.watches[name] = Watch(metric=metric, bound=seconds, evidence=[(source, identity)])
    return open_watch(state, name, watch, rule)
