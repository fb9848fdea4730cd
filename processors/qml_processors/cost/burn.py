"""How fast a budget is spent: burn rates over two windows at once, and when the money is gone at that rate.

A burn rate of 1 spends the budget exactly by the period's end. BudgetBurn wants a long window, so that one job is no
alarm, and a short one, so that what is over is none: fast, 12 times over 1/120 of the period and its last sixth;
slow, 2 times over 1/10 of the period (a day at least) and over 1/120. A total without an end counts as 30 days.

Source: Beyer et al., *The Site Reliability Workbook*, chapter 5, "Multiwindow, multi-burn-rate alerts".
"""

from decimal import Decimal

from msgspec import Struct

from qml_processors.cost.account import Account, spent_in_hours, spent_since
from qml_processors.cost.money import CONTEXT, parse_amount
from qml_processors.cost.period import period_of
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.rules.cost import Budget

TOTAL_DAYS = 30
FAST, SLOW = 12.0, 2.0
_HOURS = 24


class Burn(Struct, frozen=True, kw_only=True, gc=False):
    """How a budget stands at one instant. `gone_at` is None where nothing is being spent or the period ends before."""

    spent: Decimal
    amount: Decimal
    rate: float
    window_hours: int
    per_hour: float
    burning: bool
    lasting: bool
    gone_at: int | None

    @property
    def gone(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.amount


def spent_of(account: Account, budget: Budget, now: int) -> Decimal:
    """Return what the period of `now` has cost so far."""
    start, end = period_of(budget.period, now)
    if end is None:
        known = account.spent.get(budget.currency)
        return parse_amount(known.total if known is not None else "0")
    return spent_since(account, budget.currency, start)


def hours_of(budget: Budget, now: int) -> int:
    """Return how many hours the budget's period has."""
    start, end = period_of(budget.period, now)
    return _HOURS * (TOTAL_DAYS if end is None else end - start)


def measure_burn(account: Account, budget: Budget, now: int) -> Burn:
    """Return how fast the budget burns; `burning` opens a finding, `lasting` keeps one open."""
    _, end = period_of(budget.period, now)
    hours = hours_of(budget, now)
    amount, spent = parse_amount(budget.amount), spent_of(account, budget, now)
    best = (0.0, 1, 0.0)
    burning = lasting = False
    for long, short, factor in _windows(hours):
        rates = []
        for window in (long, short):
            per_hour = float(spent_in_hours(account, budget.currency, now, window)) / window
            rates.append(per_hour * hours / float(amount))
        if rates[0] > factor:
            lasting = True
            burning = burning or rates[1] > factor
        best = max(best, (rates[0], long, rates[0] * float(amount) / hours))
    left = float(CONTEXT.subtract(amount, spent))
    gone_at = None
    if left > 0.0 and best[2] > 0.0:
        gone_at = now + round(min(left / best[2], 24.0 * 3650) * HOUR)
        if gone_at >= (now + 7 * DAY if end is None else end * DAY):
            gone_at = None
    return Burn(
        spent=spent, amount=amount, rate=best[0], window_hours=best[1], per_hour=best[2],
        burning=burning and gone_at is not None, lasting=lasting and gone_at is not None, gone_at=gone_at,
    )  # fmt: skip


def _windows(hours: int) -> list[tuple[int, int, float]]:
    """Return (long, short, factor) in hours, longest 72."""
    sixth, fast = max(1, hours // 720), max(1, hours // 120)
    found = [(fast, sixth, FAST)]
    if hours > _HOURS:
        found.append((min(72, max(_HOURS, hours // 10)), fast, SLOW))
    return found
