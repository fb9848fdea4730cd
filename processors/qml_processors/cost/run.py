"""One run's cost: its jobs together, its cap, its steps, and its jobs of unknown cost.

A completed job of which no cost came for a day is of unknown cost, not free: one notice for each backend of the
run says so, if there is a cap or a budget that it might count against. A bill without the run's id cannot be counted
here; it counts towards its job and its project's day.

A day after the last word the run is summed up; after 35 days it is forgotten.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

from qml_processors.base import Finding, Forget, Output, Summary
from qml_processors.cost.account import Account, Spent, book
from qml_processors.cost.caps import Case, OpenCap, cap_due, close_due_caps, hold_cap, is_kept
from qml_processors.cost.ledger import KEPT, find_entry
from qml_processors.cost.money import parse_amount, say_amount
from qml_processors.cost.quote import mark_of, quotes_of
from qml_processors.cost.switch import is_on
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Job, Session

PER = "run"
UNKNOWN: Literal["CostUnknown"] = "CostUnknown"
BILL_AFTER = DAY
WAITING_KEPT = 64
BACKENDS_KEPT = 32


class Waiting(Struct, frozen=True, array_like=True, gc=False):
    """A job that ended without a cost: its backend, and when the log heard of it."""

    backend: str
    job: str
    ended: int
    source: str
    id: str


class RunCost(Struct, gc=False):
    """A run's account; `told` holds the backends whose unknown cost was said, `summed` when it was last summed up."""

    run: str
    project: str = ""
    account: Account = field(default_factory=Account)
    open: dict[str, OpenCap] = field(default_factory=dict)
    waiting: dict[bytes, Waiting] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    began: int | None = None
    seen: int | None = None
    summed: int | None = None


def apply_run(state: RunCost, event: Event, rule: CostRule) -> Iterable[Output]:
    """Book the event's quote and hold the run's cost against its cap."""
    data = event.data
    if not isinstance(data, Job | Session):
        return ()
    now = event.ingestedtime or 0
    state.seen, state.project = now, event.project
    state.began = now if state.began is None else state.began
    job = data.job_id if isinstance(data, Job) else f"session/{data.session_id}"
    quotes = quotes_of(event)
    if not quotes:
        if isinstance(data, Job) and (rule.caps or rule.budgets):
            _wait(state, event, data, now)
        return ()
    state.waiting.pop(mark_of(job), None)
    book(state.account, job, quotes[-1], event.context.step, now, event.key)
    if not state.run or not (rule.caps or state.open):
        return ()
    found: list[Output] = []
    for currency, spent in state.account.spent.items():
        if is_kept(state.open, rule, PER, event.project, currency, parse_amount(spent.total)):
            continue
        found += hold_cap(state.open, rule, event.project, _case(state, currency, spent))
    return found


def run_due(state: RunCost, rule: CostRule) -> int | None:
    """Return when a finding closes, a cost is found to be unknown, the run is summed up or forgotten."""
    if state.seen is None:
        return None
    moments = [state.seen + KEPT]
    if state.open:
        due = cap_due(state.open, rule, PER, state.project)
        moments += [] if due is None else [due]
    if state.waiting:
        moments.append(min(waiting.ended for waiting in state.waiting.values()) + BILL_AFTER)
    if _is_to_sum_up(state):
        moments.append(state.seen + DAY)
    return min(moments)


def on_run_timer(state: RunCost, due: int, rule: CostRule) -> Iterable[Output]:
    """Do what is due."""
    found: list[Output] = []
    if state.open:
        spent = {currency: parse_amount(one.total) for currency, one in state.account.spent.items()}
        found += close_due_caps(state.open, rule, PER, state.project, due, spent, _labels(state))
    for mark, waiting in list(state.waiting.items()):
        if waiting.ended + BILL_AFTER <= due:
            del state.waiting[mark]
            if waiting.backend not in state.told and len(state.told) < BACKENDS_KEPT:
                state.told.append(waiting.backend)
                if is_on(rule, UNKNOWN) and (rule.caps or rule.budgets):
                    found.append(_unknown(state, waiting))
    seen = state.seen or 0
    if _is_to_sum_up(state) and seen + DAY <= due:
        state.summed = seen
        found.append(_sum_up(state, seen))
    if seen + KEPT <= due:
        state.seen = None
        found.append(Forget())
    return found


def _wait(state: RunCost, event: Event, data: Job, now: int) -> None:
    mark = mark_of(data.job_id)
    backend = data.backend or "an unnamed backend"
    if backend in state.told or mark in state.waiting or len(state.waiting) >= WAITING_KEPT:
        return
    if find_entry(state.account.ledger, mark) is None:
        state.waiting[mark] = Waiting(backend, data.job_id, now, event.source, event.id)


def _is_to_sum_up(state: RunCost) -> bool:
    return bool(state.run) and bool(state.account.spent) and state.summed != state.seen


def _labels(state: RunCost) -> dict[str, str]:
    return {name: text for name, text in (("project", state.project), ("run", state.run)) if text}


def _case(state: RunCost, currency: str, spent: Spent) -> Case:
    jobs = [{"job": dear.job, "cost": say_amount(dear.amount, currency), "stage": dear.stage} for dear in spent.dearest]
    text = f"{state.account.jobs} jobs so far; the dearest are listed. Stop the run, or raise the cap if this is meant."
    dearest = _dearest_step(spent)
    if dearest is not None:
        text += f" Its dearest step is {dearest} at {say_amount(spent.steps[dearest], currency)}."
    return Case(
        per=PER,
        name=f"Run {state.run}",
        spent=parse_amount(spent.total),
        currency=currency,
        until=(state.seen or 0) + DAY,
        labels=_labels(state),
        text=text,
        values={"jobs": float(state.account.jobs)},
        jobs=jobs,
        evidence=[(dear.source, dear.id) for dear in spent.dearest],
    )


def _dearest_step(spent: Spent) -> int | None:
    return max(spent.steps, key=lambda step: (parse_amount(spent.steps[step]), -step), default=None)


def _unknown(state: RunCost, waiting: Waiting) -> Finding:
    where = f"run {state.run}" if state.run else "jobs without a run"
    return Finding(
        transition="notice",
        rule=UNKNOWN,
        severity="info",
        labels={**_labels(state), "backend": waiting.backend},
        annotations={
            "summary": f"The cost of jobs on {waiting.backend} is unknown ({where})",
            "description": (
                f"Job {waiting.job} ended a day ago and no estimate, reservation or bill came. It is not counted as "
                "free: caps and budgets do not see it. Have its cost emitted with job.billed."
            ),
        },
        evidence=[(waiting.source, waiting.id)],
    )


def _sum_up(state: RunCost, end: int) -> Summary:
    """Sum up what the run cost, by currency and by step."""
    values: dict[str, float] = {}
    for currency, spent in state.account.spent.items():
        values[f"cost.{currency}"] = float(spent.total)
        if spent.steps:
            amounts = [float(text) for text in spent.steps.values()]
            values[f"cost.{currency}.step.max"] = max(amounts)
            values[f"cost.{currency}.step.mean"] = sum(amounts) / len(amounts)
    return Summary(
        kind="run",
        start=state.began or end,
        end=end,
        labels={"run": state.run},
        counts={"jobs_with_cost": state.account.jobs, "jobs_without_cost": len(state.waiting)},
        values=values,
    )
