"""Watches the calls of devices: passes them on unchanged, and reports each outermost one as a job.

The caller's thread only copies; reading tapes, hashing and counting are builders for the recorder's thread. No error
of ours reaches the user: each is counted by the recorder.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pennylane.devices import ExecutionConfig
from pennylane.tape import QuantumScript

from qml_producers.observing.failures import failure_of
from qml_producers.observing.nesting import INSIDE
from qml_producers.observing.reports import Call, Reports
from qml_producers.pennylane.captures import (
    ENTRY_BYTES,
    Execution,
    capture_result,
    capture_tapes,
    result_bytes,
)
from qml_producers.pennylane.gradients import GRADIENT
from qml_producers.pennylane.jobs import JobReader
from qml_producers.pennylane.methods import METHODS, gradient_method_of
from qml_producers.pennylane.nested import DeviceCall
from qml_producers.pennylane.providers import target_of, tasks_of
from qml_producers.pennylane.values import MOST_BYTES
from quantum_mlops.events import Failure
from quantum_mlops.sdk.recorder import Item, Recorder

Method = Callable[..., Any]


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._reports = Reports(recorder)
        self._reader = JobReader(partial(self._reports.failed, "job.created"))

    def call(self, method: str, wrapped: Method, device: Any, args: Any, kwargs: Any) -> Any:
        """Call `wrapped(*args, **kwargs)` for the user; inside another observed call, nothing else happens."""
        circuits = args[0] if args else kwargs.get("circuits")
        if INSIDE.get() is not None or not self.recorder.enabled or _is_empty(circuits):
            return wrapped(*args, **kwargs)
        begin = partial(self._begin, self._reports.begin(), method, device)
        execution = None
        if hasattr(circuits, "__next__"):  # it can be read only once, and only by the device
            args, kwargs, circuits = _passed(args, kwargs, circuits)
            begun = partial(begin, circuits, args, kwargs)  # when they are known
        else:
            execution = begin(circuits, args, kwargs)
            begun = partial(_itself, execution)
        call = DeviceCall(None if execution is None else partial(self._queued, execution))
        outside = INSIDE.set(call)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            self._failed(begun(), call, error)
            raise
        finally:
            INSIDE.reset(outside)
        self._completed(begun(), call, circuits, result)
        return result

    def _begin(self, made: Call, method: str, device: Any, circuits: Any, args: Any, kwargs: Any) -> Execution | None:
        """Copy the tapes and report the job; None where it cannot be told at all. Never raises."""
        try:
            wires = device.wires
            execution = Execution(
                uuid.uuid4().hex,
                method,
                target_of(device),
                None if wires is None else tuple(wires.labels),
                gradient_method_of(_config(args, kwargs)),
                made,
            )
        except Exception as error:  # noqa: BLE001 - a device of the user's own may do anything: counted
            self._reports.failed("job.created", error)
            return None
        try:
            batch = _batch(circuits)
            execution.tapes = capture_tapes(batch)
            execution.tasks = tasks_of(device, batch)
            self._count(execution)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the job is reported without circuits
            self._reports.failed("job.created", error)
        size = sum(tape.size_bytes for tape in execution.tapes)
        execution.call.tell("job.created", partial(self._created, execution), size + ENTRY_BYTES)
        return execution

    def _count(self, execution: Execution) -> None:
        """Count what is submitted, and what should be: a value or a derivative on the device is one execution."""
        count = execution.executions or 0
        execution.call.count(count, execution.shots)
        gradient = GRADIENT.get()
        expected = count if gradient is None else gradient.take()
        if expected:
            execution.call.expect(expected)

    def _queued(self, execution: Execution, job_id: str) -> None:
        """Report the id of the one task that an execution is: whoever follows it can, if this process dies."""
        if execution.tasks == 1:
            build = partial(self._named, execution, job_id)
            execution.call.tell("job.queued", build, ENTRY_BYTES)

    def _named(self, execution: Execution, job_id: str) -> Iterator[Item]:
        yield Item("job.queued", self._reader.queued(execution, job_id))

    def _completed(self, execution: Execution | None, call: DeviceCall, circuits: Any, result: Any) -> None:
        """Copy what was measured and report the end. Never raises."""
        if execution is None:
            return
        execution.inner = call.inner
        seconds = execution.call.seconds
        results: list[list[list[Any]]] = []
        try:
            if execution.tapes and METHODS[execution.method].results:
                results = self._results(execution, circuits, result)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; the end is reported without results
            self._reports.failed("shots.measured", error)
        size = result_bytes(results)
        if size > MOST_BYTES:  # where there is no room for them the end of the job is told all the same
            execution.call.tell("job.completed", partial(self._ended, execution, seconds, []), ENTRY_BYTES)
            execution.call.tell("shots.measured", partial(self._measured, execution, results), size + ENTRY_BYTES)
            return
        build = partial(self._ended, execution, seconds, results)
        execution.call.tell("job.completed", build, size + ENTRY_BYTES)

    def _results(self, execution: Execution, circuits: Any, result: Any) -> list[list[list[Any]]]:
        found = result[0] if METHODS[execution.method].derivatives else result
        batch: Sequence[Any] = [found] if isinstance(circuits, QuantumScript) else found
        if hasattr(batch, "__next__"):
            raise TypeError("a device that returns an iterator: its results are the user's to take")
        return [capture_result(tape, each) for tape, each in zip(execution.tapes, batch, strict=True)]

    def _failed(self, execution: Execution | None, call: DeviceCall, error: BaseException) -> None:
        if execution is None:
            return
        execution.inner = call.inner
        failure = None if isinstance(error, KeyboardInterrupt) else failure_of(error)
        build = partial(self._refused, execution, execution.call.seconds, failure)
        execution.call.tell("job.cancelled" if failure is None else "job.failed", build, ENTRY_BYTES)

    def _created(self, execution: Execution) -> Iterator[Item]:
        yield Item("job.created", self._reader.created(execution))

    def _ended(self, execution: Execution, seconds: float, results: list[list[list[Any]]]) -> Iterator[Item]:
        yield Item("job.completed", self._reader.ended(execution, seconds))
        yield from self._measured(execution, results)

    def _measured(self, execution: Execution, results: list[list[list[Any]]]) -> Iterator[Item]:
        for measured in self._reader.measured(execution, results):
            yield Item("shots.measured", measured)

    def _refused(self, execution: Execution, seconds: float, failure: Failure | None) -> Iterator[Item]:
        kind = "job.cancelled" if failure is None else "job.failed"
        yield Item(kind, self._reader.failed(execution, seconds, failure))


def _is_empty(circuits: Any) -> bool:
    return isinstance(circuits, (list, tuple)) and not circuits


def _passed(args: Any, kwargs: Any, circuits: Iterator[Any]) -> tuple[Any, Any, list[Any]]:
    """The arguments with a generator that passes the circuits on, and the list of those that it passed."""
    seen: list[Any] = []

    def passing() -> Iterator[Any]:
        for each in circuits:
            seen.append(each)
            yield each

    return ((passing(), *args[1:]), kwargs, seen) if args else (args, {**kwargs, "circuits": passing()}, seen)


def _itself(execution: Execution | None) -> Execution | None:
    return execution


def _batch(circuits: Any) -> Sequence[Any]:
    """The tapes; none where the user gave something else, which the device will say."""
    if isinstance(circuits, QuantumScript):
        return (circuits,)
    is_batch = isinstance(circuits, (list, tuple)) and all(isinstance(each, QuantumScript) for each in circuits)
    return circuits if is_batch else ()


def _config(args: Any, kwargs: Any) -> ExecutionConfig | None:
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, ExecutionConfig):
            return value
    return None
