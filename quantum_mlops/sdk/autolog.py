"""`autolog`: installs every instrumentation, in modules that are imported now or later.

An instrumentation that fails is one line on stderr, never an exception in user code.
"""

import contextlib
import importlib.metadata
from collections import deque
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

    def load(self, *, hook: bool = True) -> None:
        """Take what the entry points name; hook their modules unless only explicit wrapping is wanted."""
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                instrumentation = point.load()()
                if hook:
                    self.add(instrumentation)
                else:
                    self.instrumentations.append(instrumentation)
            except Exception as error:  # noqa: BLE001 - a plugin's fault: said, and the others go on
                say(f"instrumentation {point.name} cannot be loaded: {describe(error)}")

    def add(self, instrumentation: Instrumentation) -> None:
        """Install one instrumentation in each of its modules, as soon as that is imported."""
        self.instrumentations.append(instrumentation)
        waiting = _Waiting(self, instrumentation)
        for name in instrumentation.modules:
            wrapt.register_post_import_hook(waiting.install, name)

    def install(self, instrumentation: Instrumentation, module: ModuleType) -> None:
        """Hook one imported module; a failure is one line."""
        try:
            self._undos.append(instrumentation.install(self._recorder, module))
        except Exception as error:  # noqa: BLE001 - runs inside the user's import: said, never raised
            say(f"instrumentation {instrumentation.name} does not fit {module.__name__}: {describe(error)}")

    def make_canary(self, circuit: object, every: int, shots: int, name: str | None) -> Canary | None:
        """Return the canary of the first instrumentation that takes the circuit, or None.

        Raises:
            Exception: what the instrumentation raises.

        """
        for instrumentation in self.instrumentations:
            with contextlib.suppress(ImportError):  # its SDK is not installed: the circuit is of another
                canary = instrumentation.make_canary(self._recorder, circuit, every, shots, name)
                if canary is not None:
                    return canary
        return None

    def wrap(self, primitive: object) -> object | None:
        """Return the stand-in of the first instrumentation that knows the object, or None.

        Raises:
            Exception: what the instrumentation raises.

        """
        for instrumentation in self.instrumentations:
            with contextlib.suppress(ImportError):  # its SDK is not installed: the object is of another
                stand_in = instrumentation.wrap(self._recorder, primitive)
                if stand_in is not None:
                    return stand_in
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


class _Waiting:
    """Modules that were imported and wait for one instrumentation, one at a time.

    Installing may itself import the next of its modules; that one is hooked when the first is done,
    so an instrumentation is never entered twice. No lock: this runs under Python's import locks.
    """

    def __init__(self, autolog: Autolog, instrumentation: Instrumentation) -> None:
        self._autolog = autolog
        self._instrumentation = instrumentation
        self._modules: deque[ModuleType] = deque()
        self._busy = False

    def install(self, module: ModuleType) -> None:
        """Hook a module that was just imported, now or when the one at hand is done."""
        self._modules.append(module)
        while self._modules and not self._busy and self._autolog.active:
            self._busy = True
            try:
                self._autolog.install(self._instrumentation, self._modules.popleft())
            except IndexError:  # another thread took it
                return
            finally:
                self._busy = False
