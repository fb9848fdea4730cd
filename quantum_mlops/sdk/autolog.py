"""`autolog`: installs every instrumentation, in modules that are imported now or later.

An instrumentation that fails is one line on stderr, never an exception in user code.
"""

import importlib.metadata
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Self

import wrapt

from quantum_mlops.sdk.instrumentation import GROUP, Canary, Instrumentation
from quantum_mlops.sdk.notice import describe, say
from quantum_mlops.sdk.recorder import Recorder


class Autolog:
    """The handle that `autolog` returns: call it (or leave its `with`) to undo every hook. Idempotent."""

    def __init__(self, recorder: Recorder) -> None:
        self.active = True
        self.instrumentations: list[Instrumentation] = []
        self._recorder = recorder
        self._undos: list[Callable[[], None]] = []

    def load(self) -> None:
        """Install what the entry points name."""
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                self.add(point.load()())
            except Exception as error:  # noqa: BLE001 - a plugin's fault: said, and the others go on
                say(f"instrumentation {point.name} cannot be loaded: {describe(error)}")

    def add(self, instrumentation: Instrumentation) -> None:
        """Install one instrumentation in each of its modules, as soon as that is imported."""
        self.instrumentations.append(instrumentation)
        for name in instrumentation.modules:
            wrapt.register_post_import_hook(self._hook(instrumentation), name)

    def _hook(self, instrumentation: Instrumentation) -> Callable[[ModuleType], None]:
        def install(module: ModuleType) -> None:
            if not self.active:
                return
            try:
                self._undos.append(instrumentation.install(self._recorder, module))
            except Exception as error:  # noqa: BLE001 - runs inside the user's import: said, never raised
                say(f"instrumentation {instrumentation.name} does not fit {module.__name__}: {describe(error)}")

        return install

    def make_canary(self, circuit: object, every: int, shots: int, name: str | None) -> Canary | None:
        """Return the canary of the first instrumentation that takes the circuit, or None.

        Raises:
            Exception: what the instrumentation raises.

        """
        for instrumentation in self.instrumentations:
            canary = instrumentation.make_canary(self._recorder, circuit, every, shots, name)
            if canary is not None:
                return canary
        return None

    def __call__(self) -> None:
        """Undo every hook, last first; hooks of modules not yet imported become nothing."""
        self.active = False
        while self._undos:
            try:
                self._undos.pop()()
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others: said
                say(f"an instrumentation cannot be undone: {describe(error)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self()
