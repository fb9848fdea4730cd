"""From executions to the contract's structs. For one thread: the writer's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from qml_producers.pennylane.captures import Execution
from qml_producers.pennylane.circuits import TapeFacts, read_tape
from qml_producers.pennylane.costs import cost_in
from qml_producers.pennylane.measurements import measured_parts
from quantum_mlops.events import Circuit, Failure, Job, ShotsMeasured

MAX_PARTS = 256  # events of one job, and tapes of it that are read
_MAX_CIRCUITS = 64  # described in one job event


class JobReader:
    """Makes the structs of jobs."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report

    def created(self, execution: Execution) -> Job:
        """Return the data of `job.created`."""
        described = self.describe(execution)
        cost = cost_in(execution, described, "created")
        if cost is not None:
            execution.call.price(cost.estimated)
        return Job(
            job_id=execution.job_id,
            provider=execution.target.provider,
            backend=execution.target.backend,
            provider_job_id=execution.job_id if execution.target.provider == "pennylane" else None,
            primitive=execution.method,
            circuits=_circuits(described),
            shots_requested=_shots(execution),
            executions=execution.executions,
            gradient_method=execution.gradient_method,
            cost=cost,
        )

    def queued(self, execution: Execution, job_id: str) -> Job:
        """Return the data of `job.queued`: the provider took it, and calls it `job_id`."""
        return Job(
            job_id=execution.job_id,
            provider=execution.target.provider,
            backend=execution.target.backend,
            provider_job_id=job_id,
        )

    def ended(self, execution: Execution, seconds: float) -> Job:
        """Return the data of `job.completed`."""
        return Job(
            job_id=execution.job_id,
            provider=execution.target.provider,
            backend=execution.target.backend,
            provider_job_id=_provider_job(execution),
            shots_executed=_shots(execution),
            executions=execution.executions,
            duration_seconds=seconds,
            cost=cost_in(execution, self.describe(execution), "completed"),
        )

    def failed(self, execution: Execution, seconds: float, failure: Failure | None) -> Job:
        """Return the data of `job.failed`, or of `job.cancelled` where there is no failure."""
        return Job(
            job_id=execution.job_id,
            provider=execution.target.provider,
            backend=execution.target.backend,
            provider_job_id=_provider_job(execution),
            primitive=execution.method,
            duration_seconds=seconds,
            failure=failure,
        )

    def measured(self, execution: Execution, results: Sequence[Sequence[Sequence[Any]]]) -> Iterator[ShotsMeasured]:
        """Yield the data of `shots.measured`, tape by tape, at most 256."""
        left = MAX_PARTS
        for number, (captured, facts, copies) in enumerate(
            zip(execution.tapes, self.describe(execution), results, strict=bool(results))
        ):
            if facts is None:
                continue
            for part, fields in enumerate(measured_parts(captured, facts, copies)):
                if not left:
                    return
                left -= 1
                yield ShotsMeasured(
                    job_id=execution.job_id,
                    backend=execution.target.backend,
                    provider=execution.target.provider,
                    pub=number,
                    part=part,
                    circuit=facts.circuit.identity,
                    **fields,
                )

    def describe(self, execution: Execution) -> list[TapeFacts | None]:
        """Return what is known of each tape, of the first 256; each is read once, in several places too."""
        if execution.described is None:
            known: dict[int, TapeFacts | None] = {}
            for captured in execution.tapes[:MAX_PARTS]:
                if id(captured.tape) not in known:
                    known[id(captured.tape)] = self._read(execution, captured)
            execution.described = [known.get(id(captured.tape)) for captured in execution.tapes]
        return execution.described

    def _read(self, execution: Execution, captured: Any) -> TapeFacts | None:
        try:
            return read_tape(captured, execution.wires)
        except Exception as error:  # noqa: BLE001 - an operator of the user's own may do anything: counted
            self._report(error)
            return None


def common(values: Iterable[int | None]) -> int | None:
    """The one value that all share, else None."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _circuits(described: Iterable[TapeFacts | None]) -> list[Circuit]:
    """Each distinct circuit once, in order."""
    found = {facts.circuit.identity: facts.circuit for facts in described if facts is not None}
    return list(found.values())[:_MAX_CIRCUITS]


def _shots(execution: Execution) -> int | None:
    return common(None if tape.shots[0] is None else sum(filter(None, tape.shots)) for tape in execution.tapes)


def _provider_job(execution: Execution) -> str | None:
    if execution.target.provider == "pennylane":
        return execution.job_id
    return execution.inner[0] if len(execution.inner) == 1 else None
