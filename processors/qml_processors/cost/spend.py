"""A project's spending: its day's cap and its budgets, and a summary of each day (UTC) that had news of a cost.

The summary holds what the day cost as far as it is known at its end, and for each budget what its period has cost and
is expected to cost (with the interval's ends; absent until enough days are known). A later bill comes too late for it.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from qml_processors.base import Output, Summary
from qml_processors.cost.account import Account, book, spent_on
from qml_processors.cost.budgets import OpenBudget, budget_due, budgets_of, hold_budgets
from qml_processors.cost.burn import spent_of
from qml_processors.cost.caps import Case, OpenCap, cap_due, close_due_caps, hold_cap, is_kept
from qml_processors.cost.forecast import foretell
from qml_processors.cost.money import say_amount
from qml_processors.cost.period import date_of
from qml_processors.cost.quote import quotes_of
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Job, Session

PER = "day"


class Spend(Struct, gc=False):
    """A project's account and its open findings; `day` is the one to sum up, None where it had no news yet."""

    project: str = ""
    account: Account = field(default_factory=Account)
    open: dict[str, OpenCap] = field(default_factory=dict)
    budgets: dict[str, OpenBudget] = field(default_factory=dict)
    day: int | None = None


def apply_spend(state: Spend, event: Event, rule: CostRule) -> Iterable[Output]:
    """Book the event's quote, hold the day against its cap and the spending against the budgets."""
    data = event.data
    quotes = quotes_of(event)
    if not quotes or not isinstance(data, Job | Session):
        return ()
    now = event.ingestedtime or 0
    state.project = event.project
    state.day = now // DAY if state.day is None else state.day
    job = data.job_id if isinstance(data, Job) else f"session/{data.session_id}"
    book(state.account, job, quotes[-1], None, now, event.key)
    found: list[Output] = []
    if rule.caps or state.open:
        for currency in state.account.spent:
            today = spent_on(state.account, currency, now // DAY)
            if is_kept(state.open, rule, PER, state.project, currency, today):
                continue
            found += hold_cap(state.open, rule, state.project, _case(state, currency, now))
    if rule.budgets or state.budgets:
        found += hold_budgets(state.budgets, state.account, rule, state.project, now, _evidence(state))
    return found


def spend_due(state: Spend, rule: CostRule) -> int | None:
    """Return when the day is summed up or a finding is to be looked at."""
    cap = cap_due(state.open, rule, PER, state.project) if state.open else None
    budget = budget_due(state.budgets, rule, state.project)
    day = None if state.day is None else (state.day + 1) * DAY
    return min((moment for moment in (cap, budget, day) if moment is not None), default=None)


def on_spend_timer(state: Spend, due: int, rule: CostRule) -> Iterable[Output]:
    """Sum up the day, close what is over, and look at the budgets again."""
    found: list[Output] = []
    if state.day is not None and (state.day + 1) * DAY <= due:
        found.append(_sum_up(state, state.day, rule))
        state.day = None
    if state.open:
        spent = {currency: spent_on(state.account, currency, due // DAY) for currency in state.open}
        found += close_due_caps(state.open, rule, PER, state.project, due, spent, _labels(state))
    if state.budgets:
        found += hold_budgets(state.budgets, state.account, rule, state.project, due, _evidence(state))
    return found


def _sum_up(state: Spend, day: int, rule: CostRule) -> Summary:
    values = {f"cost.{currency}": float(spent_on(state.account, currency, day)) for currency in state.account.spent}
    last = (day + 1) * DAY - 1
    for budget in budgets_of(rule, state.project):
        values[f"budget.{budget.name}.spent"] = float(spent_of(state.account, budget, last))
        forecast = foretell(state.account, budget, last)
        if forecast is not None:
            values[f"budget.{budget.name}.forecast"] = forecast.expected
            values[f"budget.{budget.name}.forecast_low"] = forecast.low
            values[f"budget.{budget.name}.forecast_high"] = forecast.high
    return Summary(kind="window", start=day * DAY, end=(day + 1) * DAY, labels=_labels(state), values=values)


def _labels(state: Spend) -> dict[str, str]:
    return {"project": state.project} if state.project else {}


def _evidence(state: Spend) -> list[tuple[str, str]]:
    return [(dear.source, dear.id) for spent in state.account.spent.values() for dear in spent.dearest]


def _case(state: Spend, currency: str, now: int) -> Case:
    today = now // DAY
    dearest = [dear for dear in state.account.spent[currency].dearest if dear.slot == today]
    whose = f"Project {state.project}" if state.project else "The project"
    return Case(
        per=PER,
        name=f"{whose} on {date_of(today)} (UTC)",
        spent=spent_on(state.account, currency, today),
        currency=currency,
        until=(today + 1) * DAY,
        labels=_labels(state),
        text=(
            "Reservations and estimates are counted until bills come. The dearest jobs of the day are listed: cancel "
            "what has not run, or raise the cap if this is meant."
        ),
        values={},
        jobs=[{"job": dear.job, "cost": say_amount(dear.amount, currency), "stage": dear.stage} for dear in dearest],
        evidence=[(dear.source, dear.id) for dear in dearest],
    )
