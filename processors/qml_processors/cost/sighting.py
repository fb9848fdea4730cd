"""One job's cost as the spike rules see it: what was said of it, its drivers, and what these leave unexplained."""

from msgspec import Struct

from qml_processors.cost.quote import Quote
from qml_processors.cost.usual import Drivers
from quantum_mlops.events import Event, Job


class Sighting(Struct, frozen=True, kw_only=True, gc=False):
    """`log_cost` is the natural logarithm of the amount, `residual` that of cost / predicted, None where unknown."""

    event: Event
    data: Job
    quote: Quote
    drivers: Drivers
    residual: float | None
    log_cost: float
