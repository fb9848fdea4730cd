"""Ticks that tell something: each partition has one a second, and a transfer multiplies them."""

from qml_processors.runner.clock_jump import JUMP
from quantum_mlops.events import Event


class TickSieve:
    """Takes a tick that says what the one before did not; `left` is the newest one that it did not take.

    Ticks move `now` and nothing else, and timers fire at their own time, whichever record moves the clock past it:
    between two others that say the same a tick tells nothing. The last one of all does, where nothing follows.
    """

    def __init__(self) -> None:
        self._ahead: bool | None = None
        self.left: tuple[int, Event] | None = None

    def takes(self, event: Event, now: int) -> bool:
        """Whether to take this tick, ingested at `now`."""
        ahead = now - event.time > JUMP
        if ahead == self._ahead:
            self.left = (now, event)
            return False
        self._ahead, self.left = ahead, None
        return True
