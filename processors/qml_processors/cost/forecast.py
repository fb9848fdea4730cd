"""What a week or a month will have cost: what is spent, and Student's interval for the days to come."""

from msgspec import Struct

from qml_processors.cost.account import Account, spent_on, spent_since
from qml_processors.cost.period import period_of
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules.cost import Budget
from quantum_mlops.stats import predict_sum

HISTORY_DAYS = 56
CONFIDENCE = 0.9


class Forecast(Struct, frozen=True, gc=False):
    """The period's cost by its end, with a 90 % interval, from so many whole days."""

    expected: float
    low: float
    high: float
    days: int


def foretell(account: Account, budget: Budget, now: int) -> Forecast | None:
    """Return the forecast of the budget's period; None from less than 14 whole days, for a day, and for a total.

    The days before today, days without a cost included, are the history; today and the days after it are
    foretold. What is spent already is the least.
    """
    start, end = period_of(budget.period, now)
    today, first = now // DAY, account.first_day
    if end is None or end - start == 1 or first is None:
        return None
    history = [float(spent_on(account, budget.currency, day)) for day in range(max(first, today - HISTORY_DAYS), today)]
    prediction = predict_sum(history, end - today, CONFIDENCE)
    if prediction is None:
        return None
    spent = float(spent_since(account, budget.currency, start))
    before = spent - float(spent_on(account, budget.currency, today))
    return Forecast(
        max(spent, before + prediction.expected),
        max(spent, before + prediction.low),
        max(spent, before + prediction.high),
        len(history),
    )
