"""An explicit wrapper, for those who do not want `autolog` to patch classes.

A simulator's `run` is watched in place. A device's tasks are watched through themselves: each task that `run` and
`run_batch` return reads its own answers and its own result, and the SDK's tracker tells of its creation.
"""

import types
from collections.abc import Callable
from typing import Any

from braket.devices import LocalSimulator

from qml_producers.braket.observer import Creating, Observer
from qml_producers.braket.simulations import Asked, pairs_of
from qml_producers.observing.nesting import INSIDE
from qml_producers.observing.proxy import Watched

_RUN = (
    "task_specification",
    "s3_destination_folder",
    "shots",
    "poll_timeout_seconds",
    "poll_interval_seconds",
    "inputs",
)
_AWS_DEVICE = ("braket.aws.aws_device", "AwsDevice")  # by name: importing it takes 1.7 s
_BATCH = ("task_specifications", "s3_destination_folder", "shots")


class WatchedSimulator(Watched):
    """A local simulator whose `run` and `run_batch` are observed; in everything else it is the wrapped one."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped simulator does."""
        return self._self_observer.simulations.run(self.__wrapped__.run, self.__wrapped__, args, kwargs)

    def run_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped simulator does."""
        return self._self_observer.simulations.run_batch(self.__wrapped__.run_batch, self.__wrapped__, args, kwargs)


class WatchedDevice(WatchedSimulator):
    """A device of Amazon Braket whose tasks are observed; in everything else it is the wrapped one."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped device does."""
        given = dict(zip(_RUN, args, strict=False)) | kwargs
        program = given.pop("task_specification", None)
        asked = [(program, given.get("shots"), given.get("inputs"))]
        return self._watch(self.__wrapped__.run, args, kwargs, given, asked)

    def run_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the wrapped device does. Tasks that the batch retries later are not observed."""
        given = dict(zip(_BATCH, args, strict=False)) | kwargs
        asked = pairs_of(given.pop("task_specifications", None), given.get("shots"), given.get("inputs"))
        return self._watch(self.__wrapped__.run_batch, args, kwargs, given, asked)

    def _watch(self, run: Callable[..., Any], args: Any, kwargs: Any, given: dict[str, Any], asked: list[Asked]) -> Any:
        observer, device = self._self_observer, self.__wrapped__
        if INSIDE.get() is not None or not observer.recorder.enabled:
            return run(*args, **kwargs)
        observer.track_once()
        call, mark = observer.reports.begin(), Creating()
        each = [
            {**given, "device_arn": device.arn, "task_specification": program, "shots": shots, "inputs": inputs}
            for program, shots, inputs in asked
        ]
        jobs = [observer.describe(one) for one in each]
        outside = INSIDE.set(mark)
        try:
            done = observer.device(run, device, args, kwargs)
        except Exception as error:
            for job in jobs:
                observer.refused(call, job, error)
            raise
        finally:
            INSIDE.reset(outside)
        event = mark.event if len(jobs) == 1 else None
        for job, one, task in zip(jobs, each, getattr(done, "tasks", [done]), strict=False):
            observer.created(call, job, one, task, event, call.began)
            watch_task(task, observer)
        return done


def watch_task(task: Any, observer: Observer) -> None:
    """Read a task's answers and its result on their way, on this one object."""
    _around(task, "metadata", observer.look)
    _around(task, "_download_result", observer.downloaded)


def _around(task: Any, name: str, wrapper: Callable[..., Any]) -> None:
    original = getattr(task, name)

    def method(_self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, task, args, kwargs)

    setattr(task, name, types.MethodType(method, task))


def wrap_device(device: object, observer: Observer) -> Any:
    """Return the observed device; None where `device` is none of Braket's."""
    if isinstance(device, WatchedSimulator):
        return device
    if isinstance(device, LocalSimulator):
        return WatchedSimulator(device, observer)
    if any(
        each.__module__ == "braket.aws.aws_device" and each.__name__ == "AwsDevice" for each in type(device).__mro__
    ):
        return WatchedDevice(device, observer)
    return None
