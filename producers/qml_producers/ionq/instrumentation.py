"""The entry point `quantum_mlops.instrumentations`: ionq. Imports no SDK until qiskit-ionq itself is there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qml_producers.observing.observers import Observers

if TYPE_CHECKING:
    from qml_producers.ionq.observer import Observer
    from quantum_mlops.sdk.recorder import Recorder


class IonqInstrumentation:
    """Observes the jobs of IonQ's backends for Qiskit; see `quantum_mlops.sdk.instrumentation`."""

    name = "ionq"
    modules = ("qiskit_ionq",)

    def __init__(self) -> None:
        self._observers = Observers(_observe)

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Wrap the methods of qiskit_ionq; return the undo."""
        from qml_producers.ionq.hooks import install  # noqa: PLC0415 - loads Qiskit

        return install(self._observers.of(recorder), module)

    def make_canary(self, recorder: "Recorder", circuit: object, every: int, shots: int, name: str | None) -> None:
        """Return None: a canary runs on a sampler."""

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return an observed stand-in for one of IonQ's backends, without patching; None where it is none."""
        if not primitive.__class__.__module__.startswith("qiskit_ionq."):
            return None
        from qml_producers.ionq.wrapper import wrap_backend  # noqa: PLC0415

        return wrap_backend(primitive, self._observers.of(recorder))


def _observe(recorder: "Recorder") -> "Observer":
    from qml_producers.ionq.observer import Observer  # noqa: PLC0415 - loads the SDK

    return Observer(recorder)
