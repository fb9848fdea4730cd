"""The entry point `quantum_mlops.instrumentations`: pennylane. Imports no PennyLane until PennyLane itself is there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qml_producers.observing.observers import Observers

if TYPE_CHECKING:
    from qml_producers.pennylane.observer import Observer
    from quantum_mlops.sdk.recorder import Recorder


class PennylaneInstrumentation:
    """Observes the devices and optimizers of PennyLane; see `quantum_mlops.sdk.instrumentation`."""

    name = "pennylane"
    modules = ("pennylane", "braket.aws", "pennylane_ionq.api_client")

    def __init__(self) -> None:
        self._observers = Observers(_observe)

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Wrap the methods of one module; return the undo."""
        from qml_producers.pennylane.hooks import install  # noqa: PLC0415 - loads PennyLane

        return install(self._observers.of(recorder), module)

    def make_canary(
        self,
        recorder: "Recorder",  # noqa: ARG002
        circuit: object,  # noqa: ARG002
        every: int,  # noqa: ARG002
        shots: int,  # noqa: ARG002
        name: str | None,  # noqa: ARG002
    ) -> None:
        """Return None: canaries are circuits of Qiskit's."""
        return

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return an observed stand-in for a device or a QNode, without patching; None where it is neither."""
        from qml_producers.pennylane.wrapper import wrap_device  # noqa: PLC0415

        return wrap_device(primitive, self._observers.of(recorder))


def _observe(recorder: "Recorder") -> "Observer":
    from qml_producers.pennylane.observer import Observer  # noqa: PLC0415 - loads the SDK

    return Observer(recorder)
