"""What a run or a project has spent: totals by currency, in all, by day, by hour and by step.

An account counts each job once, by the quote that holds, at the earliest time known of it. When a better quote comes
the difference is booked, so the totals do not depend on the order of the events.
"""

from decimal import Decimal

from msgspec import Struct, field

from qml_processors.cost.ledger import Ledger, enter
from qml_processors.cost.money import CONTEXT, ZERO, add_amounts, parse_amount, sum_amounts
from qml_processors.cost.quote import Quote, mark_of
from quantum_mlops.clock import DAY, HOUR

DAYS_KEPT = 62
HOURS_KEPT = 80
STEPS_KEPT = 256
DEAREST_KEPT = 5
JOB_TEXT = 120


class Dear(Struct, frozen=True, array_like=True, gc=False):
    """One of the dearest jobs: for the reader of a finding, and its evidence."""

    job: str
    amount: str
    stage: str
    slot: int
    source: str
    id: str


class Spent(Struct, gc=False):
    """One currency. Days and hours since 1970 (UTC) and steps map to amounts as text."""

    total: str = "0"
    days: dict[int, str] = field(default_factory=dict)
    hours: dict[int, str] = field(default_factory=dict)
    steps: dict[int, str] = field(default_factory=dict)
    dearest: list[Dear] = field(default_factory=list)


class Account(Struct, gc=False):
    """The jobs and the sums; `first_day` is the earliest day with a cost, `jobs` how many were counted."""

    ledger: Ledger = field(default_factory=Ledger)
    spent: dict[str, Spent] = field(default_factory=dict)
    first_day: int | None = None
    jobs: int = 0


def book(account: Account, job: str, quote: Quote, step: int | None, now: int, key: tuple[str, str]) -> None:
    """Book what one event says of a job; what it replaces is taken back.

    `job` is the job's id, or `session/<id>` for a session with a cost of its own; `key` the event's (source, id).
    """
    mark = mark_of(job)
    before, after = enter(account.ledger, mark, quote, step, now)
    if before is None:
        account.jobs += 1
    else:
        if (before.quote, before.first, before.step) == (after.quote, after.first, after.step):
            return
        _move(account, before.quote, before.first, before.step, -1)
    _move(account, after.quote, after.first, after.step, 1)
    day = after.first // DAY
    account.first_day = day if account.first_day is None else min(account.first_day, day)
    spent = account.spent[after.quote.currency]
    told = key if after.quote is quote else _told_by(spent, job[:JOB_TEXT]) or key
    _rank(spent, Dear(job[:JOB_TEXT], after.quote.amount, after.quote.stage, day, *told))
    _prune(spent, now)


def spent_on(account: Account, currency: str, day: int) -> Decimal:
    """Return what a day cost."""
    spent = account.spent.get(currency)
    return ZERO if spent is None else parse_amount(spent.days.get(day, "0"))


def spent_since(account: Account, currency: str, day: int) -> Decimal:
    """Return what the days from `day` on cost, at most 62 days back."""
    spent = account.spent.get(currency)
    return ZERO if spent is None else sum_amounts([text for at, text in spent.days.items() if at >= day])


def spent_in_hours(account: Account, currency: str, now: int, hours: int) -> Decimal:
    """Return what the last `hours` hours cost, the one that has begun included; at most 80 hours back."""
    spent = account.spent.get(currency)
    last = now // HOUR
    if spent is None:
        return ZERO
    return sum_amounts([text for at, text in spent.hours.items() if last - hours < at <= last])


def _move(account: Account, quote: Quote, first: int, step: int, sign: int) -> None:
    spent = account.spent.get(quote.currency)
    if spent is None:
        spent = account.spent[quote.currency] = Spent()
    amount = parse_amount(quote.amount)
    amount = amount if sign > 0 else CONTEXT.minus(amount)
    spent.total = add_amounts(spent.total, amount)
    for slots, slot in ((spent.days, first // DAY), (spent.hours, first // HOUR)):
        slots[slot] = add_amounts(slots.get(slot, "0"), amount)
    if step >= 0:
        spent.steps[step] = add_amounts(spent.steps.get(step, "0"), amount)


def _prune(spent: Spent, now: int) -> None:
    """Drop the days and hours that nothing looks at any more, and the cheapest steps over the limit."""
    for slots, oldest in ((spent.days, now // DAY - DAYS_KEPT), (spent.hours, now // HOUR - HOURS_KEPT)):
        for slot in [slot for slot in slots if slot < oldest]:
            del slots[slot]
    while len(spent.steps) > STEPS_KEPT:
        del spent.steps[min(spent.steps, key=lambda step: (parse_amount(spent.steps[step]), step))]


def _told_by(spent: Spent, job: str) -> tuple[str, str] | None:
    """Return the event whose quote holds for a job, as far as it is among the dearest."""
    return next(((one.source, one.id) for one in spent.dearest if one.job == job), None)


def _rank(spent: Spent, dear: Dear) -> None:
    """Keep the five dearest jobs of the newest day."""
    kept = [one for one in spent.dearest if one.job != dear.job]
    kept.append(dear)
    kept.sort(key=lambda one: (-one.slot, -parse_amount(one.amount), one.job))
    spent.dearest = kept[:DEAREST_KEPT]
