"""Sums over a run or a window: what jobs cost, how many events there were, how many a minute.

A window is counted in thirtieths of the emitters' time, so its length is exact to 3.3 %. An emitter's clock
ahead of the log's is taken for the log's. Several emitters tell of one job in any order, so jobs and sessions count
by their id. By the log's clock a window is empty when it passed without an event ("not received").
"""

from functools import lru_cache

from qml_processors.base import Finding
from qml_processors.threshold.bound import hold, weigh
from qml_processors.threshold.state import Sight, Tally, ThresholdState, subject_of
from quantum_mlops.clock import MINUTE
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule
from quantum_mlops.events import Event, Job, RunEnded, Session, type_name

PARTS = 30
JOBS_KEPT = 256
_type_of = lru_cache(maxsize=32)(type_name)


def take_event(state: ThresholdState, rule: ThresholdRule, event: Event) -> Finding | None:
    """Add an event to the sum of a rule that counts it, and hold the sum against the bound."""
    run = event.context.runid or ""
    if (rule.project is not None and rule.project != event.project) or state.run != (
        "" if rule.per == "project" else run
    ):
        return None
    state.project = event.project
    weight = _weight(rule, event)
    if weight is None or (rule.per == "run" and not run):
        return None
    rank, amount = weight
    if rule.per == "job":
        return hold(state, rule, amount, event, (event.source, event.time, event.id))
    tally = state.tallies.get(rule.name)
    if tally is None or tally.subject != subject_of(rule):
        tally = state.tallies[rule.name] = Tally(subject=subject_of(rule), first=event.time)
    _add(tally, rule, event, rank, amount)
    value = _value(tally, rule)
    return None if value is None else weigh(state, rule, value, event)


def drain_moment(tally: Tally, rule: ThresholdRule | None) -> int | None:
    """When the window has passed by the log's clock without an event; the past where the rule is gone."""
    if rule is None or tally.subject != subject_of(rule):
        return 0
    return None if rule.window is None or tally.drained else tally.ingested + parse_duration(rule.window)


def drain(state: ThresholdState, rule: ThresholdRule, tally: Tally, due: int) -> Finding | None:
    """Nothing was received for a whole window: the sum is zero."""
    tally.drained = True
    tally.buckets, tally.jobs = {}, {}
    time = tally.newest + parse_duration(rule.window or "0s")
    return weigh(state, rule, 0.0, Sight(tally.last[0], time, due, tally.last))


def _weight(rule: ThresholdRule, event: Event) -> tuple[int, float] | None:
    """Return the rank and the amount of an event; None: the rule does not count it."""
    data = event.data
    if rule.kind == "cost":
        if not isinstance(data, Job) or data.cost is None:
            return None
        known = (data.cost.estimated, data.cost.reserved, data.cost.final)
        ranked = [
            (rank, float(money.amount))
            for rank, money in enumerate(known)
            if money is not None and money.currency == rule.currency
        ]
        return ranked[-1] if ranked else None
    if rule.event is None or event.type != _type_of(rule.event):
        return None
    if rule.status is not None and not (isinstance(data, RunEnded) and data.status == rule.status):
        return None
    return 0, 1.0


def _add(tally: Tally, rule: ThresholdRule, event: Event, rank: int, amount: float) -> None:
    ingested = event.ingestedtime or event.time
    time = min(event.time, ingested)
    tally.newest, tally.ingested, tally.last = max(tally.newest, time), ingested, event.key
    tally.first, tally.drained = min(tally.first, time), False
    width = _width(rule)
    bucket = 0 if width is None else time // width
    data = event.data
    identity = data.job_id if isinstance(data, Job) else data.session_id if isinstance(data, Session) else ""
    if identity:
        known = tally.jobs.get(identity)
        if known is not None:
            if known[1] > rank:
                return
            bucket = known[0]
            amount -= known[2]
        tally.jobs[identity] = (bucket, rank, amount if known is None else amount + known[2])
        if len(tally.jobs) > JOBS_KEPT:
            del tally.jobs[next(iter(tally.jobs))]
    tally.buckets[bucket] = tally.buckets.get(bucket, 0.0) + amount
    if width is not None:
        oldest = tally.newest // width - PARTS
        for index in [index for index in tally.buckets if index <= oldest]:
            del tally.buckets[index]


def _value(tally: Tally, rule: ThresholdRule) -> float | None:
    """Return the sum or the rate; None: below a bound nothing is claimed before a whole window was seen."""
    total = round(sum(tally.buckets.values()), 9)
    if rule.window is None:
        return total
    window = parse_duration(rule.window)
    if rule.below is not None and tally.newest - tally.first < window:
        return None
    return total * MINUTE / window if rule.kind == "rate" else total


def _width(rule: ThresholdRule) -> int | None:
    return None if rule.window is None else max(1, parse_duration(rule.window) // PARTS)
