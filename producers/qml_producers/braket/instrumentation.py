"""The entry point `quantum_mlops.instrumentations`: braket. Imports no Braket until Braket itself is there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qml_producers.observing.observers import Observers

if TYPE_CHECKING:
    from qml_producers.braket.observer import Observer
    from quantum_mlops.sdk.instrumentation import Canary
    from quantum_mlops.sdk.recorder import Recorder


class BraketInstrumentation:
    """Observes tasks on Amazon Braket and on its local simulator; see `quantum_mlops.sdk.instrumentation`."""

    name = "braket"
    modules = ("braket.aws", "braket.devices.local_simulator", "braket.jobs.metrics")

    def __init__(self) -> None:
        self._observers = Observers(_observe)

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Wrap the methods of one module; return the undo."""
        from qml_producers.braket.hooks import install  # noqa: PLC0415 - loads Braket

        return install(self._observers.of(recorder), module)

    def make_canary(
        self,
        recorder: "Recorder",  # noqa: ARG002 - the protocol's
        circuit: object,  # noqa: ARG002
        every: int,  # noqa: ARG002
        shots: int,  # noqa: ARG002
        name: str | None,  # noqa: ARG002
    ) -> "Canary | None":
        """Return None: canaries are circuits of Qiskit's primitives."""
        return None

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return an observed stand-in for a device, without patching; None where it is none."""
        from qml_producers.braket.wrapper import wrap_device  # noqa: PLC0415

        return wrap_device(primitive, self._observers.of(recorder))


def _observe(recorder: "Recorder") -> "Observer":
    from qml_producers.braket.observer import Observer  # noqa: PLC0415 - loads the SDK

    return Observer(recorder)
