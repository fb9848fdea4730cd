"""The entry point `quantum_mlops.instrumentations`: qiskit. Imports no Qiskit until Qiskit itself is there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qml_producers.qiskit.canary import QiskitCanary
    from qml_producers.qiskit.observer import Observer
    from quantum_mlops.sdk.recorder import Recorder


class QiskitInstrumentation:
    """Observes the V2 primitives of qiskit and qiskit-aer; see `quantum_mlops.sdk.instrumentation`."""

    name = "qiskit"
    modules = ("qiskit.primitives", "qiskit_aer.primitives", "qiskit.transpiler")

    def __init__(self) -> None:
        self._observers: dict[int, Observer] = {}

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Wrap the methods of one module; return the undo."""
        from qml_producers.qiskit.primitives import install  # noqa: PLC0415 - loads Qiskit

        return install(self._observer(recorder), module)

    def make_canary(
        self, recorder: "Recorder", circuit: object, every: int, shots: int, name: str | None
    ) -> "QiskitCanary | None":
        """Return a registered canary; None where `circuit` is no QuantumCircuit. Raises ValueError, naming the mend."""
        from qiskit import QuantumCircuit  # noqa: PLC0415

        from qml_producers.qiskit.canary import QiskitCanary  # noqa: PLC0415

        if not isinstance(circuit, QuantumCircuit):
            return None
        return QiskitCanary(self._observer(recorder), circuit, every, shots, name)

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return an observed stand-in for a V2 primitive, without patching; None where it is none, or IBM Runtime's."""
        from qml_producers.qiskit.wrapper import wrap_primitive  # noqa: PLC0415

        if any(base.__module__.startswith("qiskit_ibm_runtime.") for base in type(primitive).__mro__):
            return None
        return wrap_primitive(primitive, self._observer(recorder))

    def _observer(self, recorder: "Recorder") -> "Observer":
        from qml_producers.qiskit.observer import observer_of  # noqa: PLC0415 - loads Qiskit

        observer = self._observers[id(recorder)] = observer_of(recorder)
        return observer
