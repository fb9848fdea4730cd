"""One job's cost: what was estimated, reserved and billed, and its cap.

The series is forgotten a day after the last word (an hour after a bill): a bill that comes later says all it needs.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from qml_processors.base import Forget, Output
from qml_processors.cost.caps import Case, OpenCap, cap_due, close_cap, close_due_caps, hold_cap, is_kept
from qml_processors.cost.money import parse_amount, say_amount
from qml_processors.cost.quote import FINAL, STAGES, Quote, quotes_of
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Job

PER = "job"
EVIDENCE_KEPT = 8


class JobCost(Struct, gc=False):
    """The quote that holds for each stage; `labels` are those of the finding while one is open."""

    job: str
    quotes: dict[str, Quote] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    project: str = ""
    open: dict[str, OpenCap] = field(default_factory=dict)
    evidence: list[tuple[str, str]] = field(default_factory=list)
    seen: int | None = None


def apply_job(state: JobCost, event: Event, rule: CostRule) -> Iterable[Output]:
    """Merge the event's quotes and hold the job's cost against its cap."""
    data = event.data
    if not isinstance(data, Job):
        return ()
    state.seen, state.project = event.ingestedtime or 0, event.project
    for quote in quotes_of(event):
        known = state.quotes.get(quote.stage)
        if known is None or known.place < quote.place:
            state.quotes[quote.stage] = quote
    state.quotes = {stage: state.quotes[stage] for stage in STAGES if stage in state.quotes}
    state.evidence = sorted({*state.evidence, event.key})[-EVIDENCE_KEPT:]  # no order of arrival in a state
    names = {"project": event.project, "run": event.context.runid, "backend": data.backend}
    if not state.open:
        state.labels.update({name: text for name, text in names.items() if text})
    if not rule.caps and not state.open:
        return ()
    holds = held(state)
    if holds is None:
        return ()
    if is_kept(state.open, rule, PER, event.project, holds.currency, parse_amount(holds.amount)) and not state.open:
        return ()
    elsewhere = [currency for currency in state.open if currency != holds.currency]
    reason = "billed in another currency"
    closed = [close_cap(state.open, currency, PER, state.labels, reason) for currency in elsewhere]
    return [*closed, *hold_cap(state.open, rule, event.project, _case(state, holds))]


def held(state: JobCost) -> Quote | None:
    """Return the quote that holds: the final one before the reserved one before the estimated one."""
    return max(state.quotes.values(), key=lambda quote: quote.place, default=None)


def job_due(state: JobCost, rule: CostRule) -> int | None:
    """Return when a finding closes or the job is forgotten."""
    if state.seen is None:
        return None
    due = cap_due(state.open, rule, PER, state.project) if state.open else None
    return _end(state) if due is None else due


def on_job_timer(state: JobCost, due: int, rule: CostRule) -> Iterable[Output]:
    """Close what is due, then forget."""
    holds = held(state)
    found: list[Output] = []
    if holds is not None and state.open:
        spent = {currency: parse_amount(holds.amount) for currency in state.open}
        found += close_due_caps(state.open, rule, PER, state.project, due, spent, state.labels)
    if not state.open and _end(state) <= due:
        state.seen = None
        found.append(Forget())
    return found


def _end(state: JobCost) -> int:
    holds = held(state)
    return (state.seen or 0) + (HOUR if holds is not None and holds.rank == FINAL else DAY)


def _case(state: JobCost, holds: Quote) -> Case:
    said = ", ".join(
        f"{stage} {say_amount(quote.amount, quote.currency)}"
        + (f" (price {quote.price_version})" if quote.price_version else "")
        for stage, quote in state.quotes.items()
    )
    advice = (
        "This is the bill: the money is spent. Look for further jobs like it before they start."
        if holds.rank == FINAL
        else f"This is {'reserved' if holds.rank else 'an estimate'}, not yet a bill: cancel the job to save the money."
    )
    versions = list(dict.fromkeys(quote.price_version for quote in state.quotes.values() if quote.price_version))
    change = f" The price changed between the two: {' to '.join(versions)}." if len(versions) > 1 else ""
    return Case(
        per=PER,
        name=f"Job {state.job}",
        spent=parse_amount(holds.amount),
        currency=holds.currency,
        until=(state.seen or 0) + DAY,
        labels=dict(state.labels),
        text=f"{advice}{change} Known of its cost: {said}.",
        values={stage: float(quote.amount) for stage, quote in state.quotes.items()},
        jobs=[{"job": state.job, "cost": say_amount(holds.amount, holds.currency), "stage": holds.stage}],
        evidence=list(state.evidence),
    )
