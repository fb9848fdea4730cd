"""What one series of the cost processor remembers: exactly one of the five kinds."""

from msgspec import Struct

from qml_processors.cost.idle import IdleSession
from qml_processors.cost.job import JobCost
from qml_processors.cost.run import RunCost
from qml_processors.cost.spend import Spend
from qml_processors.cost.spikes import BackendCost


class CostState(Struct, gc=False, omit_defaults=True):
    """The kind is that of the series' key: `job/<id>`, `run/<id>`, `spend`, `backend/<name>` or `session/<id>`."""

    job: JobCost | None = None
    run: RunCost | None = None
    spend: Spend | None = None
    backend: BackendCost | None = None
    session: IdleSession | None = None


def open_state(key: str) -> CostState:
    """Return the state of a series before its first event.

    >>> open_state("job/j-1").job.job
    'j-1'
    """
    kind, _, name = key.partition("/")
    match kind:
        case "job":
            return CostState(job=JobCost(name))
        case "run":
            return CostState(run=RunCost(name))
        case "backend":
            return CostState(backend=BackendCost(name))
        case "session":
            return CostState(session=IdleSession(name))
        case _:
            return CostState(spend=Spend())
