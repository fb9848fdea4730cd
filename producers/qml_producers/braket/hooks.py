"""The hooks: what is wrapped in which module of the Braket SDK, and the tracker that is registered."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from qml_producers.braket import metrics
from qml_producers.braket.observer import Observer
from qml_producers.observing.hooks import wrap_methods


def install(observer: Observer, module: ModuleType) -> Callable[[], None]:
    """Wrap what `module` holds for us, and return the undo. Raises what `wrap_methods` raises."""
    if module.__name__ == "braket.jobs.metrics":
        return metrics.install(observer.recorder, module)
    if module.__name__ == "braket.devices.local_simulator":
        simulator: Any = module.LocalSimulator
        simulations = observer.simulations
        return wrap_methods([(simulator, "run", simulations.run), (simulator, "run_batch", simulations.run_batch)])
    return _install_aws(observer)


def _install_aws(observer: Observer) -> Callable[[], None]:
    from braket.aws.aws_device import AwsDevice  # noqa: PLC0415 - 1.7 s, and not all use it
    from braket.aws.aws_quantum_task import AwsQuantumTask  # noqa: PLC0415
    from braket.aws.aws_quantum_task_batch import AwsQuantumTaskBatch  # noqa: PLC0415
    from braket.aws.aws_session import AwsSession  # noqa: PLC0415

    undo = wrap_methods(
        [
            (AwsDevice, "run", observer.device),
            (AwsDevice, "run_batch", observer.device),
            (AwsQuantumTask, "create", observer.create),
            (AwsQuantumTask, "_download_result", observer.downloaded),
            (AwsQuantumTaskBatch, "_execute", observer.execute),
            (AwsSession, "get_quantum_task", observer.look),
        ]
    )
    stop = observer.track()

    def undo_all() -> None:
        stop()
        undo()

    return undo_all
