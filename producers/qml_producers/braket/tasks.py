"""The quantum tasks of this process on Amazon Braket, from creation to their end, as the user's own requests see them.

Nothing here asks the service. The SDK tells its trackers of each task's creation, status and completion, and each
answer of GetQuantumTask that the user gets is read on its way. A task has one end however often it is looked at.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qml_producers.braket.costs import Costs, Priced
from qml_producers.braket.measurements import CapturedResult
from qml_producers.braket.reader import PROVIDER, Described, JobReader
from qml_producers.braket.statuses import ENDS, executables_of, is_reserved, sight_of
from qml_producers.observing.door import Sight
from qml_producers.observing.reports import Call
from quantum_mlops.events import Cost, Job
from quantum_mlops.sdk.recorder import Item

_KEPT = 10_000  # tasks; of those beyond the oldest is forgotten
_JOB_BYTES = 4096  # a small circuit and its share of the closure
_EXECUTED = frozenset({"running", "completed"})


@dataclass(slots=True)
class Task:
    """One task and what was told of it. `began` is of our monotonic clock.

    Without locks, which a fork could leave held: `ends` and `results` count, and each number is given out once.
    """

    job: Described
    call: Call
    priced: Priced | None
    began: float
    submit_seconds: float | None = None
    session_id: str | None = None
    told: tuple[str, str | None, int | None] = ("created", None, None)
    ended: bool = False
    waited: bool = True
    queue_seconds: float | None = None
    ends: Any = field(default_factory=itertools.count)
    results: Any = field(default_factory=itertools.count)

    @property
    def seconds(self) -> float:
        """The seconds since the call that created it began."""
        return time.monotonic() - self.began


class Tasks:
    """All tasks that were created here. Thread-safe; nothing here raises, since callers guard each method."""

    def __init__(self, reader: JobReader, costs: Costs) -> None:
        self._reader = reader
        self._costs = costs
        self._known: dict[str, Task] = {}

    def find(self, arn: str) -> Task | None:
        """Return what is known of a task, None where it was not created here."""
        return self._known.get(arn)

    def created(self, task: Task) -> None:
        """Report a new task."""
        if self._known.setdefault(task.job.job_id, task) is not task:
            return
        if len(self._known) > _KEPT:
            self._forget()
        task.submit_seconds = task.seconds
        executions = task.job.executions or 1
        task.call.count(executions, (task.job.shots or 0) * executions)
        self._tell(task, "job.created", partial(self._created, task), _JOB_BYTES * (1 + len(task.job.sent)))

    def seen(self, arn: str, response: Mapping[str, Any]) -> None:
        """Report what a response of GetQuantumTask says that is news."""
        task = self._known.get(arn)
        if task is None or task.ended:
            return
        sight = sight_of(response, task.job.executions)
        if is_reserved(response):
            task.priced = None
        executables = executables_of(response)
        if executables is not None:
            task.job.executions = executables
        if task.session_id is None:
            task.session_id = response.get("jobArn")
        shots = response.get("numSuccessfulShots")
        self._news(task, sight, shots if isinstance(shots, int) else None)

    def status(self, arn: str, word: str) -> None:
        """Report a status that the SDK tells without more: that a task is being cancelled."""
        task = self._known.get(arn)
        if task is not None and not task.ended:
            self._news(task, sight_of({"status": word}), None)

    def measured(self, arn: str, captured: CapturedResult) -> None:
        """Report what a task measured, once."""
        task = self._known.get(arn)
        if task is None or next(task.results):
            return
        if task.ended:  # and nothing is told of it any more
            self._known.pop(arn, None)
        if captured.measured or captured.expected:
            self._tell(
                task, "shots.measured", partial(self._measured, task, captured), captured.size_bytes + _JOB_BYTES
            )

    def billed(self, arn: str, seconds: float, *, reserved: bool) -> None:
        """Report how long a simulator took, and what that costs."""
        task = self._known.get(arn)
        if task is not None:
            if reserved:
                task.priced = None
            self._tell(task, "job.billed", partial(self._billed, task, seconds), _JOB_BYTES)

    def _news(self, task: Task, sight: Sight, shots: int | None) -> None:
        told = (sight.status, sight.status_text, sight.queue_position)
        if task.ended or task.told == told:
            return
        task.told = told
        if sight.status in ENDS:
            task.ended = True
            if next(task.ends):
                return
        if sight.status in _EXECUTED:
            if task.waited and sight.status == "running":
                task.queue_seconds = task.seconds
            task.waited = False
        if sight.status == "created":
            return
        build = partial(self._status, task, sight, shots, task.seconds)
        self._tell(task, f"job.{sight.status}", build, _JOB_BYTES)

    def _forget(self) -> None:
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):  # another thread is at it
            del self._known[next(iter(self._known))]

    def _tell(self, task: Task, kind: str, build: Callable[[], Iterator[Item]], size: int) -> None:
        task.call.tell(kind, build, size)

    def _created(self, task: Task) -> Iterator[Item]:
        job = task.job
        yield from self._reader.announce(job)
        cost = self._cost(task, "created")
        if cost is not None:
            task.call.price(cost.estimated)
        yield Item(
            "job.created",
            Job(
                job_id=job.job_id,
                provider=PROVIDER,
                backend=job.backend,
                provider_job_id=job.job_id,
                primitive=job.primitive,
                circuits=self._reader.circuits(job),
                footprint=self._reader.footprint(job, job.sent),
                shots_requested=job.shots,
                executions=job.executions,
                submit_seconds=task.submit_seconds,
                mitigation=job.mitigation,
                cost=cost,
            ),
        )

    def _status(self, task: Task, sight: Sight, shots: int | None, seconds: float) -> Iterator[Item]:
        ended = sight.status in ENDS
        yield Item(
            f"job.{sight.status}",
            Job(
                job_id=task.job.job_id,
                provider=PROVIDER,
                backend=task.job.backend,
                provider_job_id=task.job.job_id,
                session_id=task.session_id,
                executions=task.job.executions,
                shots_executed=sight.shots_executed,
                times=sight.times,
                queue_position=sight.queue_position,
                queue_seconds=task.queue_seconds if sight.status in _EXECUTED else None,
                duration_seconds=seconds if ended else None,
                cost=self._cost(task, sight.status, shots=shots),
                failure=sight.failure,
                status_text=sight.status_text,
            ),
        )

    def _billed(self, task: Task, seconds: float) -> Iterator[Item]:
        yield Item(
            "job.billed",
            Job(
                job_id=task.job.job_id,
                provider=PROVIDER,
                backend=task.job.backend,
                provider_job_id=task.job.job_id,
                qpu_seconds=seconds,
                cost=self._cost(task, "completed", seconds=seconds),
            ),
        )

    def _measured(self, task: Task, captured: CapturedResult) -> Iterator[Item]:
        yield from self._reader.measured(task.job, captured)

    def _cost(self, task: Task, status: str, *, shots: int | None = None, seconds: float | None = None) -> Cost | None:
        return None if task.priced is None else self._costs.of(task.priced, status, shots=shots, seconds=seconds)
