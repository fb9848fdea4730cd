"""Watches the user's calls of the Braket SDK: passes them on unchanged, and reports each outermost task as a job.

The caller's thread lists instructions and copies shots; reading, hashing, counting and pricing are builders for the
recorder's thread. No error of ours reaches the user: each is counted by the recorder.
"""

import contextlib
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from braket.tracking.tracking_context import active_trackers, deregister_tracker, register_tracker
from braket.tracking.tracking_events import _TaskCompletionEvent, _TaskCreationEvent, _TaskStatusEvent

from qml_producers.braket.costs import Costs, Priced
from qml_producers.braket.devices import Devices
from qml_producers.braket.measurements import copy_result
from qml_producers.braket.programs import copy_program, executions_of
from qml_producers.braket.reader import Described, JobReader, failed
from qml_producers.braket.simulations import Simulations
from qml_producers.braket.tasks import Task, Tasks
from qml_producers.observing.failures import failure_of
from qml_producers.observing.nesting import INSIDE, Call, Nested
from qml_producers.observing.reports import Call as Reported
from qml_producers.observing.reports import Reports
from quantum_mlops.sdk.recorder import Recorder

Run = Callable[..., Any]

_CREATE = ("aws_session", "device_arn", "task_specification", "s3_destination_folder", "shots",
           "device_parameters", "disable_qubit_rewiring", "tags", "inputs")  # fmt: skip
_RESERVATION = ("AMZN_BRAKET_RESERVATION_TIME_WINDOW_ARN", "AMZN_BRAKET_RESERVATION_DEVICE_ARN")
_JOB_BYTES = 4096
_SET_SHOTS = -1  # what AwsDevice passes where a program set brings its own


class Creating(Nested):
    """Marks the thread that creates a task; the SDK's creation event, sent in that thread, is kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.event: _TaskCreationEvent | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What a batch's caller hands to the pool threads that create its tasks."""

    inside: Call | None
    call: Reported


class CarriedFolder(tuple[str, str]):  # noqa: SLOT001 - a tuple takes no slots with values
    """The S3 folder of a batch, which the SDK passes unchanged to every thread of the pool; equal to a plain one."""

    carried: Carried
    bucket = property(itemgetter(0))
    key = property(itemgetter(1))


class Observer:
    """The reporting half of the instrumentation, one for each recorder. Thread-safe.

    It is also a tracker of the SDK's: `receive_event` never raises, for an exception there would be the user's.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.reports = Reports(recorder)
        self.devices = Devices()
        self.reader = JobReader(self.devices, partial(self._failed, "job.created"))
        self.tasks = Tasks(self.reader, Costs(self.devices))
        self._hooked = False
        self.simulations = Simulations(self.reports, self.reader)

    def device(self, run: Run, device: Any, args: Any, kwargs: Any) -> Any:
        """Wrap `AwsDevice.run` and `run_batch`: only note what the device says of itself."""
        if self.recorder.enabled:
            try:
                self.devices.note(device.arn, device.properties)
            except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
                self._failed("job.created", error)
        return run(*args, **kwargs)

    def execute(self, run: Run, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Wrap `AwsQuantumTaskBatch._execute`, which creates tasks in threads that know nothing of the caller."""
        given = args[_FOLDER] if len(args) > _FOLDER else None
        if self.recorder.enabled and isinstance(given, (tuple, list)):
            folder = CarriedFolder(given)
            folder.carried = Carried(INSIDE.get(), self.reports.begin())
            args = (*args[:_FOLDER], folder, *args[_FOLDER + 1 :])
        return run(*args, **kwargs)

    def create(self, run: Run, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Wrap `AwsQuantumTask.create`. Raises what it raises."""
        if not self.recorder.enabled:
            return run(*args, **kwargs)
        given = dict(zip(_CREATE, args, strict=False)) | kwargs
        carried = getattr(given.get("s3_destination_folder"), "carried", None)
        inside = INSIDE.get() if carried is None else carried.inside or INSIDE.get()
        if inside is not None:
            return self._pass(run, inside, args, kwargs)
        call, began = self.reports.begin() if carried is None else carried.call, time.monotonic()
        job = self.describe(given)
        mark = Creating()
        outside = INSIDE.set(mark)
        try:
            task = run(*args, **kwargs)
        except Exception as error:
            self.refused(call, job, error)
            raise
        finally:
            INSIDE.reset(outside)
        self.created(call, job, given, task, mark.event, began)
        return task

    def look(self, run: Run, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Wrap `AwsSession.get_quantum_task`: read the user's answer on its way."""
        response = run(*args, **kwargs)
        try:
            self.tasks.seen(response["quantumTaskArn"], response)
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._failed("job.running", error)
        return response

    def downloaded(self, run: Run, task: Any, args: Any, kwargs: Any) -> Any:
        """Wrap `AwsQuantumTask._download_result`, through which every way to a result leads."""
        result = run(*args, **kwargs)
        try:
            if self.tasks.find(task.id) is not None:
                self.tasks.measured(task.id, copy_result(result))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._failed("shots.measured", error)
        return result

    def track(self) -> Callable[[], None]:
        """Register with the SDK as a tracker beside the user's own; return the undo, which is idempotent."""
        register_tracker(self)
        self._hooked = True

        def stop() -> None:
            self._hooked = False
            with contextlib.suppress(KeyError):  # once, or somebody took us out
                deregister_tracker(self)

        return stop

    def track_once(self) -> None:
        """Register as a tracker for the tasks of explicitly wrapped devices, for good; other tasks stay unobserved."""
        if self not in active_trackers():
            register_tracker(self)

    def receive_event(self, event: Any) -> None:
        """Take what the SDK tells its trackers. Never raises."""
        try:
            if isinstance(event, _TaskCreationEvent):
                self._creation(event)
            elif isinstance(event, _TaskCompletionEvent):
                if event.execution_duration is not None:
                    self.tasks.billed(
                        event.arn, event.execution_duration / 1000, reserved=bool(event.has_reservation_arn)
                    )
            elif isinstance(event, _TaskStatusEvent) and event.status == "CANCELLING":
                self.tasks.status(event.arn, event.status)  # every other status is read in full by `look`
        except Exception as error:  # noqa: BLE001 - would reach the user's `run()`: counted
            self._failed("job.running", error)

    def _pass(self, run: Run, inside: Call, args: Any, kwargs: Any) -> Any:
        """Create a task that is part of another observed call."""
        outside = INSIDE.set(inside)
        try:
            return run(*args, **kwargs)
        finally:
            INSIDE.reset(outside)

    def describe(self, given: dict[str, Any]) -> Described:
        """Return a copy of what is sent. Never raises."""
        job = Described("", str(given.get("device_arn")), "AwsQuantumTask", [])
        try:
            shots = given.get("shots")
            job.sent = copy_program(given.get("task_specification"), shots, given.get("inputs"))
            job.executions = executions_of(job.sent)
            job.is_physical = bool(given.get("disable_qubit_rewiring"))
            mitigation = (given.get("device_parameters") or {}).get("errorMitigation")
            if mitigation is not None:
                job.mitigation = {"errorMitigation": type(mitigation).__name__}
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted; reported without circuits
            self._failed("job.created", error)
        return job

    def created(
        self,
        call: Reported,
        job: Described,
        given: dict[str, Any],
        task: Any,
        event: _TaskCreationEvent | None,
        began: float,
    ) -> None:
        """Report a task that was created by a call that began at `began`. Never raises."""
        try:
            job.job_id = str(task.id)
            shots = given.get("shots") if event is None else event.shots  # of all executions of a program set
            total = shots if isinstance(shots, int) and shots != _SET_SHOTS else None
            executions = job.executions or 1
            job.shots = total // executions if total is not None and total % executions == 0 else None
            reserved = given.get("reservation_arn") or (
                _RESERVATION[0] in os.environ and os.environ.get(_RESERVATION[1]) == job.backend
            )
            priced = None if reserved else Priced(job.backend, total, error_mitigation=bool(job.mitigation))
            self.tasks.created(Task(job, call, priced, began))
        except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
            self._failed("job.created", error)

    def _creation(self, event: _TaskCreationEvent) -> None:
        inside = INSIDE.get()
        if isinstance(inside, Creating):
            inside.event = event
        elif inside is None and self._hooked and self.recorder.enabled:  # the session was asked without a task
            job = Described(event.arn, event.device, "AwsSession", [], shots=event.shots)
            call = self.reports.begin()
            self.tasks.created(Task(job, call, Priced(event.device, event.shots), call.began))

    def refused(self, call: Reported, job: Described, error: Exception) -> None:
        """Report a call that raised: there is no job, but the attempt failed."""
        job.job_id = job.job_id or uuid.uuid4().hex
        call.tell("job.failed", partial(failed, job, call.seconds, failure_of(error)), _JOB_BYTES)

    def _failed(self, kind: str, error: BaseException) -> None:
        self.reports.failed(kind, error)


_FOLDER = _CREATE.index("s3_destination_folder")
