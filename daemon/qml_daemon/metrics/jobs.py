"""Jobs as metrics: each job counts once a status, whatever order and number of events tell of it."""

from collections import OrderedDict
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from qml_daemon.metrics.tally import Tally
from quantum_mlops.events import Event, Job
from quantum_mlops.events.job import Money, ProviderTimes
from quantum_mlops.events.job_status import STATUSES, job_status

MOST_JOBS = 10_000


class _Seen(Struct, gc=False):
    """What was counted of one job."""

    backend: str | None = None
    provider: str | None = None
    statuses: int = 0
    counted: int = 0
    cost: dict[str, Decimal] | None = None
    qpu_seconds: float = 0.0


_QUEUE, _EXECUTION, _DURATION, _SHOTS, _EXECUTIONS = (1 << bit for bit in range(5))
_STATUS_BITS = {status: 1 << bit for bit, status in enumerate(STATUSES)}


class JobBook:
    """Remembers the jobs heard of last, 10,000 of them; of a job forgotten since, an event counts anew."""

    def __init__(self, tally: Tally, most: int = MOST_JOBS) -> None:
        self._tally = tally
        self._most = most
        self._jobs: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def take(self, event: Event, job: Job) -> None:
        """Count what this event tells for the first time."""
        key = (event.project, job.job_id)
        seen = self._jobs.get(key)
        if seen is None:
            seen = self._jobs[key] = _Seen()
            if len(self._jobs) > self._most:
                self._jobs.popitem(last=False)
        else:
            self._jobs.move_to_end(key)
        seen.backend = seen.backend or job.backend
        seen.provider = seen.provider or job.provider
        whose = (seen.backend, seen.provider, event.project)
        status = job_status(event.type)
        if status is not None and not seen.statuses & _STATUS_BITS[status]:
            seen.statuses |= _STATUS_BITS[status]
            self._tally.add("qml_jobs_total", *whose, status)
        if status == "completed":
            self._count_work(seen, job, whose)
        if job.times is not None:
            self._time(seen, job.times)
        if job.queue_seconds is not None and job.queue_seconds >= 0 and _first(seen, _QUEUE):
            self._tally.observe("qml_job_queue_seconds", seen.backend, value=job.queue_seconds)
        if job.qpu_seconds is not None and job.qpu_seconds > seen.qpu_seconds:
            self._tally.add("qml_job_qpu_seconds_total", *whose, amount=job.qpu_seconds - seen.qpu_seconds)
            seen.qpu_seconds = job.qpu_seconds
        if job.duration_seconds is not None and job.duration_seconds >= 0 and _first(seen, _DURATION):
            self._tally.observe("qml_job_duration_seconds", seen.backend, value=job.duration_seconds)
        if job.cost is not None and job.cost.final is not None:
            self._bill(seen, job.cost.final, whose)

    def _count_work(self, seen: _Seen, job: Job, whose: tuple[str | None, ...]) -> None:
        if job.executions is None:
            return
        if _first(seen, _EXECUTIONS):
            self._tally.add("qml_job_executions_total", *whose, amount=job.executions)
        if job.shots_executed is not None and _first(seen, _SHOTS):
            self._tally.add("qml_job_shots_total", *whose, amount=job.executions * job.shots_executed)

    def _time(self, seen: _Seen, times: ProviderTimes) -> None:
        waited = _seconds(times.queued or times.created, times.started)
        if waited is not None and _first(seen, _QUEUE):
            self._tally.observe("qml_job_queue_seconds", seen.backend, value=waited)
        worked = _seconds(times.started, times.ended)
        if worked is not None and _first(seen, _EXECUTION):
            self._tally.observe("qml_job_execution_seconds", seen.backend, value=worked)

    def _bill(self, seen: _Seen, money: Money, whose: tuple[str | None, ...]) -> None:
        billed = seen.cost or {}
        amount, before = Decimal(money.amount), billed.get(money.currency, Decimal(0))
        if amount > before:
            seen.cost = billed | {money.currency: amount}
            self._tally.add("qml_job_cost_total", *whose, money.currency, amount=float(amount - before))


def _first(seen: _Seen, bit: int) -> bool:
    """Return whether this was not counted yet, and note that it is now."""
    if seen.counted & bit:
        return False
    seen.counted |= bit
    return True


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the time between, or None where it is unknown or a provider's clock ran backwards."""
    if begin is None or end is None or end < begin:
        return None
    return (end - begin).total_seconds()
