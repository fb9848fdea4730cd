"""The hooks by module: PennyLane's own, and where the plugins' SDKs learn the ids of their jobs."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from qml_producers.observing.hooks import Method, Wrapper, wrap_methods
from qml_producers.observing.nesting import INSIDE
from qml_producers.pennylane import gradients
from qml_producers.pennylane.devices import DeviceHooks
from qml_producers.pennylane.nested import tell_outer
from qml_producers.pennylane.observer import Observer
from qml_producers.pennylane.optimizers import OptimizerHooks

Undo = Callable[[], None]


def install(observer: Observer, module: ModuleType) -> Undo:
    """Wrap what `module` holds for us, and return the undo. Raises what `wrap_methods` raises."""
    if module.__name__ == "pennylane":
        return _pennylane(observer, module)
    report = partial(observer.recorder.report, "instrumentation_failed", "job.created")
    return wrap_methods(_submissions(module, report))


def _pennylane(observer: Observer, module: ModuleType) -> Undo:
    undos: list[Undo] = []

    def undo() -> None:
        while undos:
            undos.pop()()

    report = partial(observer.recorder.report, "instrumentation_failed", "metric.logged")
    try:
        undos.append(DeviceHooks(observer).install())
        undos.append(gradients.install(report))
        undos.append(OptimizerHooks(observer.recorder).install(module.optimize))
    except Exception:
        undo()
        raise
    return undo


def _submissions(module: ModuleType, report: Callable[[BaseException], None]) -> list[Method]:
    """The methods that submit to a service: (class, method, wrapper)."""
    if module.__name__ == "braket.aws":
        device = module.AwsDevice
        return [
            (device, "run", _lending(lambda _, task: [task.id], report)),
            (device, "run_batch", _lending(lambda _, batch: [task.id for task in batch.tasks], report)),
        ]
    created = _lending(lambda manager, _: [manager.resource.id.value], report)
    return [(module.ResourceManager, "create", created)]


def _lending(ids: Callable[[Any, Any], list[Any]], report: Callable[[BaseException], None]) -> Wrapper:
    """Lend the ids of what was submitted to the device's call around it, if there is one."""

    def submit(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        outer = INSIDE.get()
        if outer is not None:
            try:
                for job_id in ids(instance, result):
                    tell_outer(outer, job_id)
            except Exception as error:  # noqa: BLE001 - ours, not the user's: counted by `report`
                report(error)
        return result

    return submit
