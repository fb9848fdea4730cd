"""CostSpike/idle_session: a session that is open, billed by wall time, and does nothing.

Opens when the emitter says that it has been idle for `idle_session`. Closes when the session is closed, when a job
runs in it or its idle time is short again, and when nothing was heard of it for a day.
"""

import math
from collections.abc import Iterable

from msgspec import Struct, field

from qml_processors.base import Finding, Forget, Output
from qml_processors.cost.money import say_amount
from qml_processors.cost.quote import quotes_of
from qml_processors.cost.spike_wording import idle_finding, spike_closed
from qml_processors.cost.switch import is_on
from quantum_mlops.clock import DAY, SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Session, short_name

CAUSE = "idle_session"
_USING = {
    "job.created": "a job was sent to it",
    "job.running": "a job runs in it",
    "session.closed": "the session was closed",
}


class IdleSession(Struct, gc=False):
    """A session: whether its finding is open, whether it was closed, when it was last heard of."""

    session: str
    labels: dict[str, str] = field(default_factory=dict)
    open: bool = False
    idle_seconds: float = 0.0
    latest: int | None = None
    closed: bool = False
    seen: int | None = None


def apply_session(state: IdleSession, event: Event, rule: CostRule) -> Iterable[Output]:
    """Take one event of the session, or of a job in it; what is older than the last one says nothing new."""
    data = event.data
    if not is_on(rule, "CostSpike"):
        return ()
    state.seen = event.ingestedtime or 0
    if state.latest is not None and event.time < state.latest:
        return ()
    state.latest = event.time
    short = short_name(event.type)
    if isinstance(data, Session) and short == "session.idle":
        return _take_idle(state, event, data, rule)
    if short == "session.closed":
        state.closed = True
    if state.open and short in _USING:
        return _close(state, rule, _USING[short])
    return ()


def _take_idle(state: IdleSession, event: Event, data: Session, rule: CostRule) -> Iterable[Output]:
    idle = data.idle_seconds
    if idle is None or not math.isfinite(idle):
        return ()
    state.idle_seconds = float(idle)
    if not _is_idle(state, rule):
        return _close(state, rule, "in use again") if state.open else ()
    if state.open or state.closed:
        return ()
    state.open = True
    names = {"session": state.session, "backend": data.backend, "project": event.project}
    state.labels = {name: text for name, text in names.items() if text}
    quotes = quotes_of(event)
    cost = say_amount(quotes[-1].amount, quotes[-1].currency) if quotes else None
    return (idle_finding(state.labels, event, state.idle_seconds, cost, rule),)


def session_due(state: IdleSession, rule: CostRule) -> int | None:
    """Return when the finding closes, or the session is forgotten."""
    if state.seen is None:
        return None
    return 0 if state.open and not (is_on(rule, "CostSpike") and _is_idle(state, rule)) else state.seen + DAY


def on_session_timer(state: IdleSession, due: int, rule: CostRule) -> Iterable[Output]:
    """Close the finding of a rule that is gone, or of a session that went silent; then forget it."""
    found: list[Output] = []
    silent = state.seen is not None and state.seen + DAY <= due
    if state.open and (silent or not is_on(rule, "CostSpike") or not _is_idle(state, rule)):
        found += _close(state, rule, "nothing heard of it for a day" if silent else "rule changed")
    if silent:
        state.seen = None
        found.append(Forget())
    return found


def _is_idle(state: IdleSession, rule: CostRule) -> bool:
    return state.idle_seconds * SECOND >= parse_duration(rule.idle_session)


def _close(state: IdleSession, rule: CostRule, reason: str) -> list[Finding]:
    state.open = False
    return [spike_closed(state.labels, CAUSE, reason, rule)]
