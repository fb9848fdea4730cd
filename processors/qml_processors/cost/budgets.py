"""BudgetBurn and SpendForecast of a project's budgets.

BudgetBurn opens when the budget burns too fast to last, and turns critical when it is gone. It closes when no window
burned for a 24th of the period, so that spending in bursts is one finding, and when the period is over; one that is
gone stays open until the period's end (a total: until the budget is raised). SpendForecast opens when even the low end
of the interval is over the budget, and closes when what is expected is within it, when the budget is gone (BudgetBurn
says so), and at the period's end.
"""

from typing import Literal

from msgspec import Struct

from qml_processors.base import Finding
from qml_processors.cost.account import Account
from qml_processors.cost.burn import Burn, hours_of, measure_burn
from qml_processors.cost.forecast import CONFIDENCE, Forecast, foretell
from qml_processors.cost.money import CONTEXT, say_amount
from qml_processors.cost.period import period_of
from qml_processors.cost.switch import is_on
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.rules import Severity
from quantum_mlops.config.rules.cost import Budget, CostRule
from quantum_mlops.timestamps import format_time

Kind = Literal["BudgetBurn", "SpendForecast"]
BURN: Kind = "BudgetBurn"
FORECAST: Kind = "SpendForecast"
_QUIET_SHARE = 24
"""A finding stays open for a 24th of the period after it last burned: a month's for 30 hours, a week's for 7."""


class OpenBudget(Struct, frozen=True, gc=False):
    """An open finding: the budget as it was, whether its money is gone, its next look and its last burning.

    `spent` is what the period had cost at the last look; empty in states written before it was kept.
    """

    kind: Kind
    budget: Budget
    start: int
    gone: bool
    due: int | None
    burned: int = 0
    spent: str = ""


Opened = dict[str, OpenBudget]


def budgets_of(rule: CostRule, project: str) -> list[Budget]:
    """Return the budgets that apply to the project."""
    return [budget for budget in rule.budgets if budget.project in {None, project}] if rule.enabled else []


def budget_due(opened: Opened, rule: CostRule, project: str) -> int | None:
    """Return when an open finding is looked at again; 0 where its budget is another one by now."""
    if not opened:
        return None
    known = budgets_of(rule, project)
    due: int | None = None
    for one in opened.values():
        moment = one.due if one.budget in known and is_on(rule, one.kind) else 0
        if moment is not None and (due is None or moment < due):
            due = moment
    return due


def hold_budgets(
    opened: Opened, account: Account, rule: CostRule, project: str, now: int, evidence: list[tuple[str, str]]
) -> list[Finding]:
    """Hold what was spent against every budget, and close what has no budget any more."""
    found: list[Finding] = []
    known = {budget.name: budget for budget in budgets_of(rule, project)}
    for name, one in list(opened.items()):
        if not is_on(rule, one.kind):
            found.append(_close(opened, name, project, "rule disabled"))
        elif one.budget.name not in known:
            found.append(_close(opened, name, project, "budget removed"))
        elif period_of(one.budget.period, now)[0] != one.start:
            found.append(_close(opened, name, project, "a new period has begun"))
    for budget in known.values():
        burn = measure_burn(account, budget, now)
        if is_on(rule, BURN):
            found += _hold_burn(opened, budget, burn, project, now, evidence)
        if is_on(rule, FORECAST):
            found += _hold_forecast(opened, account, budget, burn, project, now, evidence)
    return found


def _hold_burn(
    opened: Opened, budget: Budget, burn: Burn, project: str, now: int, evidence: list[tuple[str, str]]
) -> list[Finding]:
    name = f"{BURN}/{budget.name}"
    before = opened.get(name)
    start, end = period_of(budget.period, now)
    burned = now if burn.gone or burn.burning or (before is not None and burn.lasting) else 0
    if not burned:
        if before is None:
            return []
        if now - before.burned >= hours_of(budget, now) * HOUR // _QUIET_SHARE:
            return [_close(opened, name, project, "no longer burning", burn)]
        burned = before.burned
    over = None if end is None else end * DAY
    due = over if burn.gone else (now // HOUR + 1) * HOUR
    opened[name] = OpenBudget(BURN, budget, start, burn.gone, due, burned, format(burn.spent, "f"))
    if before is not None and before.gone == burn.gone:
        return []
    severity: Severity = "critical" if burn.gone else budget.severity
    transition = "opened" if before is None else "updated"
    summary, text = _say_burn(budget, burn)
    return [
        Finding(
            transition="opened" if transition == "opened" else "updated",
            rule=name,
            severity=severity,
            labels=_labels(budget, project),
            annotations={"summary": summary, "description": text},
            values={
                "spent": float(burn.spent),
                "budget": float(burn.amount),
                "burn_rate": burn.rate,
                "per_hour": burn.per_hour,
                "window_hours": float(burn.window_hours),
            },
            evidence=list(evidence),
        )
    ]


def _hold_forecast(
    opened: Opened,
    account: Account,
    budget: Budget,
    burn: Burn,
    project: str,
    now: int,
    evidence: list[tuple[str, str]],
) -> list[Finding]:
    name = f"{FORECAST}/{budget.name}"
    before = opened.get(name)
    forecast = None if burn.gone else foretell(account, budget, now)
    limit = float(burn.amount)
    if forecast is None or forecast.expected <= limit:
        if before is None:
            return []
        reason = "budget gone" if burn.gone else "expected to be within the budget"
        return [_close(opened, name, project, reason, burn)]
    if before is None and forecast.low <= limit:
        return []
    start, end = period_of(budget.period, now)
    due, spent = None if end is None else end * DAY, format(burn.spent, "f")
    opened[name] = OpenBudget(FORECAST, budget, start, gone=False, due=due, spent=spent)
    return [_forecast_finding(name, budget, burn, forecast, project, evidence)] if before is None else []


def _say_burn(budget: Budget, burn: Burn) -> tuple[str, str]:
    total, spent = say_amount(burn.amount, budget.currency), say_amount(burn.spent, budget.currency)
    period = _say_period(budget)
    if burn.gone:
        over = say_amount(CONTEXT.subtract(burn.spent, burn.amount), budget.currency)
        text = "Stop what need not run, or raise the budget. Reservations and estimates are counted until bills come."
        return f"Budget {budget.name}{period} is gone: {spent} of {total}, {over} over", text
    gone_at = (
        format_time(burn.gone_at)[:16].replace("T", " ") + " UTC" if burn.gone_at is not None else "an unknown date"
    )
    pace = (
        f"The last {burn.window_hours} hours burned it {burn.rate:.1f} times as fast as it can last, "
        f"about {burn.per_hour:.2f} {budget.currency} an hour. Look at the dearest runs of today first."
    )
    return (
        f"Budget {budget.name}{period}: at this rate it is gone by {gone_at} ({spent} of {total} spent)",
        pace,
    )


def _forecast_finding(
    name: str, budget: Budget, burn: Burn, forecast: Forecast, project: str, evidence: list[tuple[str, str]]
) -> Finding:
    unit = budget.currency
    return Finding(
        transition="opened",
        rule=name,
        severity=budget.severity,
        labels=_labels(budget, project),
        annotations={
            "summary": (
                f"Budget {budget.name}: the {budget.period} will cost about {forecast.expected:,.2f} {unit}, over "
                f"{say_amount(burn.amount, unit)}"
            ),
            "description": (
                f"{CONFIDENCE:.0%} interval {forecast.low:,.2f} to {forecast.high:,.2f} {unit}, from {forecast.days} "
                f"whole days and {say_amount(burn.spent, unit)} spent so far. It supposes that the days to come are "
                "as those before; it knows of no plan. Nothing is wrong yet."
            ),
        },
        values={
            "forecast": forecast.expected,
            "forecast_low": forecast.low,
            "forecast_high": forecast.high,
            "budget": float(burn.amount),
            "spent": float(burn.spent),
            "days": float(forecast.days),
        },
        evidence=list(evidence),
    )


def _say_period(budget: Budget) -> str:
    return "" if budget.period == "total" else f" ({budget.period})"


def _close(opened: Opened, name: str, project: str, reason: str, burn: Burn | None = None) -> Finding:
    """Close a finding; without `burn` the amount is that of the last look, which a new period does not change."""
    one = opened.pop(name)
    unit = one.budget.currency
    spent, total = one.spent if burn is None else format(burn.spent, "f"), one.budget.amount
    if burn is not None:
        total = format(burn.amount, "f")
    amounts = f"{say_amount(spent, unit)} of {say_amount(total, unit)} spent" if spent else say_amount(total, unit)
    values = {"spent": float(spent)} if spent else {}
    return Finding(
        transition="closed",
        rule=name,
        severity="critical" if one.gone else one.budget.severity,
        labels=_labels(one.budget, project),
        annotations={"summary": f"Budget {one.budget.name}{_say_period(one.budget)}: {reason} ({amounts})"},
        values={**values, "budget": float(total)},
        reason=reason,
    )


def _labels(budget: Budget, project: str) -> dict[str, str]:
    labels = {"budget": budget.name, "currency": budget.currency}
    return {**labels, "project": project} if project else labels
