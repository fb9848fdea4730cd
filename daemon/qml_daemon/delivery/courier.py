"""A courier: the one thread that speaks to one receiver, so that nobody else waits for it."""

import logging
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import msgspec
from msgspec import Struct

from qml_daemon.notification import Notification, merge
from qml_daemon.notifiers.base import Notifier
from quantum_mlops.errors import DeliveryError, RetryableError

_logger = logging.getLogger(__name__)
_decode = msgspec.msgpack.Decoder(Notification).decode
_Errand = tuple[Sequence[int], Sequence[bytes]]


class Outcome(Struct, frozen=True):
    """What became of one errand: these notifications were delivered (`error` None) or not."""

    numbers: Sequence[int]
    error: DeliveryError | None


class Courier:
    """Sends one errand at a time; `send`, `outcome` and `confirm` never block."""

    def __init__(self, notifier: Notifier) -> None:
        self.notifier = notifier
        self.numbers: frozenset[int] = frozenset()
        self.outcome: Outcome | None = None
        self._errands: SimpleQueue[_Errand | None] = SimpleQueue()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether an errand is under way, or its outcome not yet confirmed."""
        return bool(self.numbers)

    def send(self, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """Start an errand; only when not busy."""
        if self._thread is None:
            name = f"courier {self.notifier.lane}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()
        self.numbers = frozenset(numbers)
        self._done.clear()
        self._errands.put((numbers, bodies))

    def confirm(self) -> None:
        """Say that the outcome is stored."""
        self.outcome = None
        self.numbers = frozenset()

    def wait(self, seconds: float) -> bool:
        """Block until the errand under way has an outcome; False where it has none in time."""
        return not self.busy or self._done.wait(max(0.0, seconds))

    def close(self) -> None:
        """End the thread after its errand; does not wait for it."""
        if self._thread is not None:
            self._errands.put(None)
            self._thread = None

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            self.outcome = Outcome(errand[0], self._deliver(errand[1]))
            self._done.set()
        self.notifier.close()

    def _deliver(self, bodies: Sequence[bytes]) -> DeliveryError | None:
        try:
            self.notifier.send(merge(map(_decode, bodies)))
        except DeliveryError as error:
            return error
        except Exception as error:  # a plugin's bug must not end the thread; it is stored, counted and shown
            _logger.exception("the notifier of %s failed", self.notifier.lane)
            return RetryableError(f"{type(error).__name__} in the notifier")
        return None
