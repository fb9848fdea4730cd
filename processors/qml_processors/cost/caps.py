"""CostCap: a hard cap on a job, a run or a project's day; it opens at once, on an estimate already.

Closes when the cost is at or under the cap again (a lower bill, a refund, a raised cap), when the cap is gone,
at the end of the day for a day's cap, and a day after the last word on the cost of a job or a run.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from qml_processors.base import Finding
from qml_processors.cost.money import CONTEXT, parse_amount, say_amount
from qml_processors.cost.switch import is_on
from quantum_mlops.config.rules import Severity
from quantum_mlops.config.rules.cost import Cap, CostRule

RULE = "CostCap"


class OpenCap(Struct, frozen=True, gc=False):
    """An open finding: the cap it stands on, when it closes for want of news, whose cost it is and how much by now.

    `name` and `cost` are empty in states written before they were kept.
    """

    currency: str
    amount: str
    severity: Severity
    until: int
    name: str = ""
    cost: str = ""


class Case(Struct, frozen=True, kw_only=True, gc=False):
    """What a cap is held against: a cost, whose it is, and how it came about."""

    per: str
    name: str
    spent: Decimal
    currency: str
    until: int
    labels: dict[str, str]
    text: str
    values: dict[str, float]
    jobs: list[dict[str, str]]
    evidence: list[tuple[str, str]]


def cap_for(rule: CostRule, per: str, project: str, currency: str) -> Cap | None:
    """Return the smallest cap that applies, None where there is none."""
    known = [cap for cap in rule.caps if cap.per == per and cap.currency == currency and cap.project in {None, project}]
    return min(known, key=lambda cap: parse_amount(cap.amount), default=None) if is_on(rule, "CostCap") else None


def is_kept(
    opened: Mapping[str, OpenCap], rule: CostRule, per: str, project: str, currency: str, spent: Decimal
) -> bool:
    """Return whether there is nothing to say: no finding is open, and no cap is broken."""
    if currency in opened:
        return False
    cap = cap_for(rule, per, project, currency)
    return cap is None or spent <= parse_amount(cap.amount)


def hold_cap(opened: dict[str, OpenCap], rule: CostRule, project: str, case: Case) -> list[Finding]:
    """Hold a cost against its cap: open, or close what is kept again."""
    cap = cap_for(rule, case.per, project, case.currency)
    known = opened.get(case.currency)
    if cap is None or case.spent <= parse_amount(cap.amount):
        if known is None:
            return []
        opened[case.currency] = replace(known, name=case.name, cost=format(case.spent, "f"))
        return [close_cap(opened, case.currency, case.per, case.labels, "cap kept again")]
    cost = format(case.spent, "f")
    opened[case.currency] = OpenCap(case.currency, cap.amount, cap.severity, case.until, case.name, cost)
    return [_open(cap, case)] if known is None else []


def close_cap(opened: dict[str, OpenCap], currency: str, per: str, labels: Mapping[str, str], reason: str) -> Finding:
    """Close one open finding, and say whose cost it was, how much, and over which cap."""
    known = opened.pop(currency)
    cap = f"cap of {say_amount(known.amount, currency)} on a {per}"
    cost = f"{say_amount(known.cost, currency)}, " if known.cost else ""
    values = {"cost": float(known.cost)} if known.cost else {}
    return Finding(
        transition="closed",
        rule=f"{RULE}/{per}/{currency}",
        severity=known.severity,
        labels=dict(labels),
        annotations={"summary": f"{known.name or f'A {per}'}: {reason} ({cost}{cap})"},
        values={**values, "cap": float(known.amount)},
        reason=reason,
    )


def cap_due(opened: dict[str, OpenCap], rule: CostRule, per: str, project: str) -> int | None:
    """Return when an open finding closes; 0 where its cap is another one by now."""
    due: int | None = None
    for known in opened.values():
        cap = cap_for(rule, per, project, known.currency)
        moment = known.until if cap is not None and cap.amount == known.amount else 0
        due = moment if due is None else min(due, moment)
    return due


def close_due_caps(
    opened: dict[str, OpenCap],
    rule: CostRule,
    per: str,
    project: str,
    due: int,
    spent: Mapping[str, Decimal],
    labels: Mapping[str, str],
) -> list[Finding]:
    """Close what is due: no news, no cap, or a cap that was raised above the cost."""
    found: list[Finding] = []
    for currency, known in list(opened.items()):
        cap = cap_for(rule, per, project, currency)
        if cap is None:
            found.append(close_cap(opened, currency, per, labels, "cap removed"))
        elif known.until <= due:
            reason = "the day is over" if per == "day" else "no news of its cost for a day"
            found.append(close_cap(opened, currency, per, labels, reason))
        elif spent[currency] <= parse_amount(cap.amount):
            opened[currency] = replace(known, amount=cap.amount)
            found.append(close_cap(opened, currency, per, labels, "cap raised"))
        else:
            opened[currency] = replace(known, amount=cap.amount, severity=cap.severity)
    return found


def _open(cap: Cap, case: Case) -> Finding:
    over = CONTEXT.subtract(case.spent, parse_amount(cap.amount))
    summary = (
        f"{case.name} costs {say_amount(case.spent, case.currency)}, "
        f"{say_amount(over, case.currency)} over the cap of {say_amount(cap.amount, case.currency)}"
    )
    return Finding(
        transition="opened",
        rule=f"{RULE}/{case.per}/{case.currency}",
        severity=cap.severity,
        labels=case.labels,
        annotations={"summary": summary, "description": case.text},
        values={"cost": float(case.spent), "cap": float(cap.amount), **case.values},
        details={"jobs": case.jobs} if case.jobs else {},
        evidence=case.evidence,
    )
