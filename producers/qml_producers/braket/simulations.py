"""Runs on the SDK's simulator on this machine: one job a circuit, in the caller's thread from begin to end.

The simulator names a task only when it is done, so the job has a name of ours and the simulator's beside it.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from braket.ahs.analog_hamiltonian_simulation import AnalogHamiltonianSimulation
from braket.annealing.problem import Problem
from braket.circuits import Circuit as BraketCircuit
from braket.ir.openqasm import Program as OpenQasmProgram

from qml_producers.braket.measurements import CapturedResult, copy_result
from qml_producers.braket.programs import copy_program, executions_of
from qml_producers.braket.reader import PROVIDER, Described, JobReader, failed
from qml_producers.observing.failures import failure_of
from qml_producers.observing.nesting import INSIDE, NESTED
from qml_producers.observing.reports import Call, Reports
from quantum_mlops.events import Job
from quantum_mlops.sdk.recorder import Item

Run = Callable[..., Any]
Asked = tuple[Any, Any, Any]
"""A program, its shots and its inputs, as the user gave them."""

_JOB_BYTES = 4096  # a small circuit and its share of the closure
_PRIMITIVE = "LocalSimulator"
_RUN = ("task_specification", "shots", "inputs")
_BATCH = ("task_specifications", "shots", "max_parallel", "inputs")
_SINGLE = (BraketCircuit, OpenQasmProgram, Problem, AnalogHamiltonianSimulation)


class Simulations:
    """Wraps `LocalSimulator.run` and `run_batch`. Thread-safe."""

    def __init__(self, reports: Reports, reader: JobReader) -> None:
        self._reports = reports
        self._reader = reader

    def run(self, run: Run, simulator: Any, args: Any, kwargs: Any) -> Any:
        """Run one task and report it. Raises what `run` raises."""
        if INSIDE.get() is not None or not self._reports.enabled:
            return run(*args, **kwargs)
        given = dict(zip(_RUN, args, strict=False)) | kwargs
        program, shots, inputs = given.get("task_specification"), given.get("shots"), given.get("inputs")
        return self._watch(run, args, kwargs, simulator, [(program, shots, inputs)], lambda task: [task.result()])

    def run_batch(self, run: Run, simulator: Any, args: Any, kwargs: Any) -> Any:
        """Run many tasks and report each. Raises what `run` raises."""
        if INSIDE.get() is not None or not self._reports.enabled:
            return run(*args, **kwargs)
        given = dict(zip(_BATCH, args, strict=False)) | kwargs
        programs, inputs, shots = given.get("task_specifications"), given.get("inputs"), given.get("shots", 0)
        return self._watch(
            run, args, kwargs, simulator, pairs_of(programs, shots, inputs), lambda batch: batch.results()
        )

    def _watch(
        self,
        run: Run,
        args: Any,
        kwargs: Any,
        simulator: Any,
        asked: Sequence[Asked],
        results_of: Callable[[Any], Sequence[Any]],
    ) -> Any:
        call = self._reports.begin()
        jobs = self._begin(call, simulator, asked)
        outside = INSIDE.set(NESTED)
        try:
            done = run(*args, **kwargs)
        except BaseException as error:
            failure = None if isinstance(error, KeyboardInterrupt) else failure_of(error)
            kind = "job.cancelled" if failure is None else "job.failed"
            for job in jobs:
                call.tell(kind, partial(failed, job, call.seconds, failure), _JOB_BYTES)
            raise
        finally:
            INSIDE.reset(outside)
        try:
            seconds = call.seconds
            for job, result in zip(jobs, results_of(done), strict=False):
                self._end(call, job, result, seconds)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("job.completed", error)
        return done

    def _begin(self, call: Call, simulator: Any, asked: Sequence[Asked]) -> list[Described]:
        """Copy what was sent and report it. Never raises."""
        jobs: list[Described] = []
        try:
            backend = _name(simulator)
            for program, shots, inputs in asked:
                job = Described(uuid.uuid4().hex, backend, _PRIMITIVE, copy_program(program, shots or 0, inputs))
                job.executions = executions_of(job.sent)
                job.shots = _shots_each(program, shots, job.executions)
                jobs.append(job)
                call.tell("job.created", partial(self._created, job), _JOB_BYTES * (1 + len(job.sent)))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._reports.failed("job.created", error)
        return jobs

    def _end(self, call: Call, job: Described, result: Any, seconds: float) -> None:
        captured = copy_result(result)
        executions = job.executions or 1
        call.count(executions, (job.shots or 0) * executions)
        build = partial(self._completed, job, captured, str(result.task_metadata.id), seconds)
        call.tell("job.completed", build, captured.size_bytes + _JOB_BYTES)

    def _created(self, job: Described) -> Iterator[Item]:
        yield Item(
            "job.created",
            Job(
                job_id=job.job_id,
                provider=PROVIDER,
                backend=job.backend,
                primitive=job.primitive,
                circuits=self._reader.circuits(job),
                shots_requested=job.shots,
                executions=job.executions,
            ),
        )

    def _completed(self, job: Described, captured: CapturedResult, name: str, seconds: float) -> Iterator[Item]:
        yield Item(
            "job.completed",
            Job(
                job_id=job.job_id,
                provider=PROVIDER,
                backend=job.backend,
                provider_job_id=name,
                primitive=job.primitive,
                shots_executed=job.shots if captured.shots is None else captured.shots,
                executions=job.executions,
                duration_seconds=seconds,
            ),
        )
        yield from self._reader.measured(job, captured)


def _name(simulator: Any) -> str:
    delegate = getattr(simulator, "_delegate", None)
    return str(getattr(delegate, "DEVICE_ID", None) or simulator.name)


def _shots_each(program: Any, shots: Any, executions: int | None) -> int | None:
    """The shots of one execution: what a program set is given in `run` is for all of its executions together."""
    own = getattr(program, "shots_per_executable", None)
    if own is not None:
        return int(own)
    if hasattr(program, "programs") or hasattr(program, "total_executables"):  # a program set
        return shots // executions if isinstance(shots, int) and executions else None
    each = int(shots or 0)
    return each if each >= 0 else None  # the SDK will say it


def pairs_of(programs: Any, shots: Any, inputs: Any) -> list[Asked]:
    """What a batch runs, as the SDK pairs it: one program with many inputs, or each with its own or with all."""
    many = isinstance(inputs, (list, tuple))
    if isinstance(programs, _SINGLE):
        programs = [programs] * (len(inputs) if many else 1)
    if not isinstance(programs, (list, tuple)):
        return []
    each_inputs = inputs if many else [inputs if isinstance(inputs, Mapping) else None] * len(programs)
    each_shots = shots if isinstance(shots, (list, tuple)) else [shots] * len(programs)
    return list(zip(programs, each_shots, each_inputs, strict=False))
