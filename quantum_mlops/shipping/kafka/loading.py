"""Loads aiokafka, and what of ours needs it, in the thread that ships: 0.2 s that the host's own thread does not spend.

No fork falls in the middle of it: the child would have half a module for ever, since the thread that
loads it is not there. A fork waits for the end of the loading instead, for 5 s at most.
"""

import importlib
import os
import threading

_NEEDED = (
    "encodings.idna",  # which looking up a host's name loads
    "quantum_mlops.shipping.kafka.answer",
    "quantum_mlops.shipping.kafka.loop",
    "quantum_mlops.shipping.kafka.outbox",
    "quantum_mlops.shipping.kafka.quiet",
    "quantum_mlops.transports.kafka.oauth",
    "quantum_mlops.transports.kafka.topics",
)
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


def load() -> None:
    """Import everything that sending to Kafka needs.

    Raises:
        ModuleNotFoundError: aiokafka is not installed.

    """
    with _gate.lock:
        for name in _NEEDED:
            importlib.import_module(name)
