"""The entry point `quantum_mlops.instrumentations`: ibm. Imports no SDK until qiskit-ibm-runtime itself is there."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qml_producers.ibm.hooks import Hooks
    from quantum_mlops.sdk.recorder import Recorder


class IbmInstrumentation:
    """Observes the primitives and sessions of qiskit-ibm-runtime; see `quantum_mlops.sdk.instrumentation`.

    The modules are those that define the classes: the names above them may be re-pointed from the older primitives to
    the newer ones.
    """

    name = "ibm"
    modules = (
        "qiskit_ibm_runtime.sampler",
        "qiskit_ibm_runtime.estimator",
        "qiskit_ibm_runtime.executor_sampler.sampler",
        "qiskit_ibm_runtime.executor_estimator.estimator",
        "qiskit_ibm_runtime.executor.executor",
        "qiskit_ibm_runtime.session",
        "qiskit_ibm_runtime.ibm_backend",
    )

    def __init__(self) -> None:
        self._hooks: dict[int, Hooks] = {}

    def install(self, recorder: "Recorder", module: ModuleType) -> Callable[[], None]:
        """Wrap the methods of one module; return the undo."""
        return self._of(recorder).install(module)

    def make_canary(
        self,
        recorder: "Recorder",  # noqa: ARG002
        circuit: object,  # noqa: ARG002
        every: int,  # noqa: ARG002
        shots: int,  # noqa: ARG002
        name: str | None,  # noqa: ARG002
    ) -> None:
        """Return None: a canary of Qiskit's runs on these samplers, too."""
        return

    def wrap(self, recorder: "Recorder", primitive: object) -> Any:
        """Return an observed stand-in for a primitive, without patching; None where it is none of this SDK's."""
        if not any(base.__module__.startswith("qiskit_ibm_runtime.") for base in type(primitive).__mro__):
            return None
        return self._of(recorder).wrap(primitive)

    def _of(self, recorder: "Recorder") -> "Hooks":
        from qml_producers.ibm.hooks import Hooks  # noqa: PLC0415 - loads Qiskit

        known = self._hooks.get(id(recorder))
        if known is None or known.recorder is not recorder:
            known = self._hooks[id(recorder)] = Hooks(recorder)
        return known
