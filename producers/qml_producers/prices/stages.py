"""A job's cost as its life goes on: estimated at submission, reserved while it waits and runs, final when billed."""

from decimal import Decimal

from qml_producers.prices.catalogue import Prices, money_of
from qml_producers.prices.use import Use
from quantum_mlops.events import Cost

_STAGES = {"created": "estimated", "queued": "reserved", "running": "reserved", "completed": "final"}
_ENDED_BADLY = frozenset({"failed", "cancelled"})


def cost_of(prices: Prices, use: Use, status: str) -> Cost | None:
    """Return what is known of the cost of a job in `status` (of `job_status.STATUSES`); None where nothing is.

    For a terminal status `use` holds what the provider billed: the shots that were executed, the seconds that it
    charges. A job that failed or was cancelled costs nothing only where its price says so, by the second what the
    seconds cost, and else it is unknown.
    """
    if status in _ENDED_BADLY:
        return _cost_of_failure(prices, use)
    stage = _STAGES.get(status)
    money = None if stage is None else prices.estimate(use)
    return None if stage is None or money is None else Cost(**{stage: money})


def _cost_of_failure(prices: Prices, use: Use) -> Cost | None:
    found = prices.find(use)
    if found is None:
        return None
    book, price = found
    if price.free_if_failed:
        return Cost(final=money_of(book, price, Decimal(0)))
    money = None if price.second is None else prices.estimate(use)
    return None if money is None else Cost(final=money)
