# ruff: noqa: ARG002 - the arguments are the protocol's
"""ClockJump: the log's clock ran ahead of the clock of the ticks, so timers fired early.

A tick's `time` is the daemon's wall clock at its start plus monotonic time since; its `ingestedtime`
is the log's clock. This is the runner's own processor, the only one that sees ticks.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from qml_processors.base import Finding, Output
from qml_processors.runner.partition import CLOCK
from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Event

JUMP = MINUTE
RULE = "ClockJump"


class ClockState(Struct, gc=False):
    """Whether the log's clock is ahead."""

    ahead: bool = False


class ClockJumpProcessor:
    """Opens when a tick is ingested more than a minute after its own time; closes when no longer."""

    name = CLOCK
    version = 1
    state = ClockState
    bundled = False

    def keys(self, event: Event) -> Sequence[str]:
        """One series for all ticks."""
        return ("log",)

    def open(self, key: str) -> ClockState:
        """Start in step."""
        return ClockState()

    def apply(self, state: ClockState, event: Event, rules: Rules) -> Iterable[Output]:
        """Compare the two clocks."""
        seconds = ((event.ingestedtime or event.time) - event.time) / SECOND
        ahead = seconds * SECOND > JUMP
        if ahead == state.ahead:
            return ()
        state.ahead = ahead
        summary = f"The log's clock is {seconds:.0f} s ahead of the daemon's monotonic clock; timers fire early."
        return (
            Finding(
                transition="opened" if ahead else "closed",
                rule=RULE,
                annotations={"summary": summary} if ahead else {},
                values={"seconds": seconds},
            ),
        )

    def next_timer(self, state: ClockState, rules: Rules) -> int | None:
        """None: only ticks tell."""
        return None

    def on_timer(self, state: ClockState, due: int, rules: Rules) -> Iterable[Output]:
        """Never owed."""
        return ()

    def migrate(self, raw: bytes, from_version: int) -> ClockState:
        """There is no other version yet."""
        raise StateTooNewError(f"{self.name}: state of version {from_version}, this is version {self.version}")
