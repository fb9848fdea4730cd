"""What a job on IBM's service costs: the seconds that it charges, by the user's own price of a second.

IBM's price depends on the plan and none is shipped: without a price of the user's every cost is unknown. A job inside a
session or batch has no cost of its own here: a session is billed by its own wall clock, whatever runs in it, and the
job does not say which of the two it is in.
"""

from datetime import UTC, datetime

from qml_producers.prices import Prices, Use, cost_of
from quantum_mlops.events import Cost, ProviderTimes

PROVIDER = "ibm"


def cost_of_job(
    prices: Prices,
    status: str,
    *,
    backend: str | None,
    session_id: str | None,
    seconds: float | None,
    times: ProviderTimes | None,
) -> Cost | None:
    """Return what is known of a job's cost in `status`; `seconds` are those charged, or foretold before the end."""
    if backend is None or session_id is not None or seconds is None:
        return None
    at = None if times is None else times.started or times.created
    use = Use(provider=PROVIDER, device=backend, at=at or datetime.now(UTC), seconds=seconds)
    return cost_of(prices, use, status)
