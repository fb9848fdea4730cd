"""CostSpike of one backend of a project: one finding a cause, named after the driver that moved.

- `price`: what is left of the cost after its drivers. Its normal score against the reference goes into a chart, whose
  limit follows from the declared rate; opens when the last jobs cost `minimum_ratio` more than predicted. Closes when
  the chart is back at zero, when no priced job came for a day, and after `relearn_after`: then the new price is usual.
- `shots`, `executions`, `price` or `cost` (drivers unknown): one job beyond what the tail of the costs allows at the
  declared rate, from 2,000 jobs on; before that, 3 times the dearest of at least 50. Closes an hour after the last.
- `job_rate`, `retries`: see `pace`. Closes when an hour is below the limit, after an hour without a
  job, and after `relearn_after`.

The declared rate is shared by the chart and the tail.
"""

import math
from collections.abc import Iterable

from msgspec import Struct, field

from qml_processors.base import Finding, Forget, Output
from qml_processors.cost.money import parse_amount
from qml_processors.cost.pace import Pace, count_job, is_retrying, pace_limit
from qml_processors.cost.quote import Quote, mark_of, quotes_of
from qml_processors.cost.sighting import Sighting
from qml_processors.cost.spike_wording import price_finding, rate_finding, spike_closed, spike_finding
from qml_processors.cost.switch import is_on
from qml_processors.cost.usual import (
    COSTS_KEPT,
    Drivers,
    Usual,
    causes_of,
    learn_cost,
    learn_price,
    packed,
    residual_of,
    unpack,
)
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Job, short_name
from quantum_mlops.stats import Cusum, fit_tail, parse_rate, rank_score, tail_quantile, threshold, update

LEAST_SCORED = 20
LEAST_SPIKE = 50
TIMES_DEAREST = 3.0
MARKS_KEPT = 128
SUSPECTS_KEPT = 8
STRANGERS = 50
"""Jobs in another currency in a row after which that one is watched."""
FORGOTTEN_AFTER = 90 * DAY
_BEGINNING = {"job.created", "job.queued", "job.running"}
_RATES = ("job_rate", "retries")
LEARNT = "the new level is usual now"


class OpenSpike(Struct, gc=False):
    """An open finding: since when, until when without news, and whether the chart holds it."""

    since: int
    until: int
    charted: bool = False


class BackendCost(Struct, gc=False):
    """What is usual on a backend, and what is open. Marks of the newest jobs stand in `charted`, `begun`, `failed`."""

    backend: str
    labels: dict[str, str] = field(default_factory=dict)
    currency: str = ""
    strangers: int = 0
    usual: Usual = field(default_factory=Usual)
    chart: Cusum = field(default_factory=Cusum)
    suspects: list[tuple[float, str, str, str]] = field(default_factory=list)
    price_version: str = ""
    price_before: str = ""
    pace: Pace = field(default_factory=Pace)
    charted: bytes = b""
    begun: bytes = b""
    failed: bytes = b""
    open: dict[str, OpenSpike] = field(default_factory=dict)
    seen: int | None = None


def apply_backend(state: BackendCost, event: Event, rule: CostRule) -> Iterable[Output]:
    """Count the job, and hold its cost against what is usual, once."""
    data = event.data
    if not isinstance(data, Job) or not is_on(rule, "CostSpike"):
        return ()
    state.seen = event.ingestedtime or 0
    labels = state.labels
    if not labels or labels.get("project", "") != event.project:
        state.labels = {"backend": state.backend, "project": event.project}
        if not event.project:
            del state.labels["project"]
    mark = mark_of(data.job_id)
    found = _hold_pace(state, event, data, mark, rule)
    quotes = quotes_of(event)
    if quotes and not _holds(state.charted, mark):
        state.charted = _remember(state.charted, mark)
        found += _hold_cost(state, event, data, quotes[-1], rule)
    return found


def backend_due(state: BackendCost, rule: CostRule) -> int | None:
    """Return when a finding closes or the backend is forgotten; 0 where the rule was switched off."""
    if state.seen is None:
        return None
    if not state.open:
        return state.seen + FORGOTTEN_AFTER
    if not is_on(rule, "CostSpike"):
        return 0
    return min(_end(cause, one, rule) for cause, one in state.open.items())


def on_backend_timer(state: BackendCost, due: int, rule: CostRule) -> Iterable[Output]:
    """Close what is due; forget a backend of which nothing came for 90 days."""
    found: list[Output] = []
    for cause, one in list(state.open.items()):
        if not is_on(rule, "CostSpike"):
            found.append(_close(state, cause, rule, "rule disabled"))
        elif _end(cause, one, rule) <= due:
            found.append(_close(state, cause, rule, _ending(cause, one, due)))
    if not state.open and (state.seen or 0) + FORGOTTEN_AFTER <= due:
        state.seen = None
        found.append(Forget())
    return found


def _hold_cost(state: BackendCost, event: Event, data: Job, quote: Quote, rule: CostRule) -> list[Finding]:
    if not _is_watched(state, quote.currency):
        return []
    if quote.price_version and quote.price_version != state.price_version:
        state.price_before, state.price_version = state.price_version, quote.price_version
    cost = float(parse_amount(quote.amount))
    if not cost > 0.0:
        return []
    log_cost = packed(math.log(cost))
    shots = data.shots_requested if data.shots_requested is not None else data.shots_executed
    drivers = Drivers(float(shots) if shots else None, float(data.executions or len(data.circuits) or 1))
    residual = residual_of(state.usual, cost, drivers)
    sighting = Sighting(event=event, data=data, quote=quote, drivers=drivers, residual=residual, log_cost=log_cost)
    found = _hold_spike(state, sighting, rule)
    if residual is not None:
        found += _chart(state, event, data, residual, rule)
    learn_cost(state.usual, log_cost)
    if "price" not in state.open or residual is None:
        learn_price(state.usual, cost, drivers, residual)
    return found


def _is_watched(state: BackendCost, currency: str) -> bool:
    """Return whether the charts are of this currency; the first one is watched, and one that replaced it."""
    if state.currency == currency:
        state.strangers = 0
        return True
    if state.currency and state.strangers < STRANGERS:
        state.strangers += 1
        return False
    if not state.currency or not state.open:
        state.currency, state.strangers, state.usual, state.chart, state.suspects = currency, 0, Usual(), Cusum(), []
        return True
    return False


def _hold_spike(state: BackendCost, sighting: Sighting, rule: CostRule) -> list[Finding]:
    """Hold one job's cost against the costs before it."""
    log_cost = sighting.log_cost
    costs = unpack(state.usual.costs)
    if len(costs) < LEAST_SPIKE:
        return []
    if len(costs) < COSTS_KEPT:
        limit = costs[-1] + math.log(TIMES_DEAREST)
    elif log_cost <= costs[-len(costs) // 20]:
        return []
    else:
        limit = tail_quantile(fit_tail(costs), 1 / _share(rule))
    causes = causes_of(state.usual, sighting.drivers, sighting.residual, log_cost)
    if log_cost <= limit or log_cost < costs[len(costs) // 2] + math.log(rule.minimum_ratio):
        return []
    now = state.seen or 0
    known = state.open.get(causes[0][0])
    if known is not None:
        known.until = max(known.until, now + HOUR)
        return []
    state.open[causes[0][0]] = OpenSpike(now, now + HOUR)
    return [spike_finding(state.labels, sighting, causes, len(costs), limit, rule, _versions(state))]


def _chart(state: BackendCost, event: Event, data: Job, residual: float, rule: CostRule) -> list[Finding]:
    """Chart a residual: it opens and closes `price`."""
    reference = unpack(state.usual.residuals)
    if len(reference) < LEAST_SCORED:
        return []
    limit = threshold(_share(rule))
    arm = update(state.chart, rank_score(reference, residual))
    known = state.open.get("price")
    if arm <= 0.0:
        state.suspects = []
        return [_close(state, "price", rule, "cost as predicted again")] if known is not None and known.charted else []
    state.suspects = [*state.suspects, (residual, data.job_id, *event.key)][-SUSPECTS_KEPT:]
    now = state.seen or 0
    if known is not None and known.charted:
        known.until = now + DAY
    if arm <= limit:
        return []
    state.chart.upper = limit  # so that the way back is as long as the way here
    usual = reference[len(reference) // 2]
    rise = sum(suspect[0] for suspect in state.suspects) / len(state.suspects) - usual
    if rise < math.log(rule.minimum_ratio) or (known is not None and known.charted):
        return []
    if known is not None:
        known.charted, known.until = True, now + DAY
        return []
    state.open["price"] = OpenSpike(now, now + DAY, charted=True)
    return [price_finding(state.labels, state.suspects, math.exp(rise), len(reference), rule, _versions(state))]


def _hold_pace(state: BackendCost, event: Event, data: Job, mark: bytes, rule: CostRule) -> list[Finding]:
    """Count a job that began or failed; say so where the hour has far too many. Free backends are not watched."""
    short = short_name(event.type) or ""
    failed = short == "job.failed"
    marks = state.failed if failed else state.begun
    if not (failed or short in _BEGINNING) or _holds(marks, mark):
        return []
    if failed:
        state.failed = _remember(marks, mark)
    else:
        state.begun = _remember(marks, mark)
    now = state.seen or 0
    opened = next((cause for cause in _RATES if cause in state.open), None) if state.open else None
    ended = count_job(state.pace, min(event.time, now), failed=failed, learn=opened is None)
    limit = pace_limit(state.pace)
    if limit is None or not state.currency:
        return []
    if opened is not None:
        state.open[opened].until = now + HOUR
        return [_close(state, opened, rule, "an hour below the limit")] if ended is not None and ended < limit else []
    if state.pace.jobs < limit:
        return []
    cause = "retries" if is_retrying(state.pace) else "job_rate"
    state.open[cause] = OpenSpike(now, now + HOUR)
    return [rate_finding(state.labels, event, data, cause, state.pace, limit, rule)]


def _close(state: BackendCost, cause: str, rule: CostRule, reason: str) -> Finding:
    one = state.open.pop(cause)
    if one.charted:
        state.chart, state.suspects = Cusum(), []
    if reason == LEARNT:
        if one.charted:
            state.usual.residuals = state.usual.shots = state.usual.executions = b""
            state.usual.cells = []
        else:
            state.pace.history = []
    return spike_closed(state.labels, cause, reason, rule)


def _end(cause: str, one: OpenSpike, rule: CostRule) -> int:
    if one.charted or cause in _RATES:
        return min(one.until, one.since + parse_duration(rule.relearn_after))
    return one.until


def _ending(cause: str, one: OpenSpike, due: int) -> str:
    if due < one.until:
        return LEARNT
    if one.charted:
        return "no priced job for a day"
    return "no job for an hour" if cause in _RATES else "no further such job for an hour"


def _versions(state: BackendCost) -> tuple[str, str]:
    return (state.price_before, state.price_version)


def _share(rule: CostRule) -> float:
    """Return the run length of the chart and of the tail: half of the declared rate each."""
    return min(2 * parse_rate(rule.false_alarms), 1e9)


def _holds(raw: bytes, mark: bytes) -> bool:
    """Return whether a mark is among the packed ones, which lie 8 bytes apart."""
    at = raw.find(mark)
    while at >= 0 and at % 8:
        at = raw.find(mark, at + 1)
    return at >= 0


def _remember(raw: bytes, mark: bytes) -> bytes:
    return (raw + mark)[-8 * MARKS_KEPT :]
