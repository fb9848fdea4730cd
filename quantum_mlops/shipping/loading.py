"""Loads a client's modules in the thread that ships: time that the host's own thread does not spend.

No fork falls in the middle of it: the child would have half a module for ever, since the thread that
loads it is not there. A fork waits for the end of the loading instead, for 5 s at most.
"""

import importlib
import os
import threading
from collections.abc import Iterable

_LONGEST_WAIT_SECONDS = 5.0


class _Gate:
    """Closed while modules are loaded; forks go through it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._waited = False

    def before_fork(self) -> None:
        self._waited = self.lock.acquire(timeout=_LONGEST_WAIT_SECONDS)

    def after_fork(self) -> None:
        if self._waited:
            self._waited = False
            self.lock.release()


_gate = _Gate()
os.register_at_fork(before=_gate.before_fork, after_in_parent=_gate.after_fork, after_in_child=_gate.after_fork)


def load_modules(names: Iterable[str]) -> None:
    """Import the modules, one thread at a time and no fork in between.

    Raises:
        ModuleNotFoundError: one is not installed.

    """
    with _gate.lock:
        for name in names:
            importlib.import_module(name)
