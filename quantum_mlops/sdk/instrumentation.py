"""What an instrumentation of a quantum SDK is: the seam between the SDK face and `qml_producers`.

Found through the entry point group `quantum_mlops.instrumentations`; the module of the class is
imported by `autolog()` whether or not its SDK is installed, and therefore imports no SDK itself.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

from quantum_mlops.sdk.recorder import Recorder

GROUP = "quantum_mlops.instrumentations"


class Canary(Protocol):
    """A fixed circuit that is run beside the user's own, as a declared reference."""

    def run(self) -> object:
        """Run now, in the caller's thread."""
        ...

    def cancel(self) -> None:
        """Stop running; idempotent."""
        ...


class Instrumentation(Protocol):
    """Hooks one quantum SDK. The class takes no constructor arguments; the host must never feel it."""

    name: str
    modules: tuple[str, ...]

    def install(self, recorder: Recorder, module: ModuleType) -> Callable[[], None]:
        """Hook one of `modules`, which was just imported (or was when `autolog` came); return what undoes it.

        Raising costs one line on stderr; the host goes on without this instrumentation.
        """
        ...

    def make_canary(
        self, recorder: Recorder, circuit: object, every: int, shots: int, name: str | None
    ) -> Canary | None:
        """Return a canary before every `every`-th outermost `run()`, or None where the circuit is not of this SDK."""
        ...

    def wrap(self, recorder: Recorder, primitive: object) -> object | None:
        """Return a stand-in that records the jobs of one object, without hooks; None where it is not of this SDK."""
        ...
