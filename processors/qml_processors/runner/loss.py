# ruff: noqa: ARG002 - the arguments are the protocol's
"""DataLoss: the log no longer held what was still needed, and the partition went on without it.

A home whose retention is another's (a broker's) cannot keep its log from removing records too early. The
finding is the runner's own, one series a partition, and closes a day after the last loss. No event
causes it, so its row is written with the commit that says it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from qml_processors.base import Finding, Output
from qml_processors.runner.cause import Cause
from qml_processors.runner.derive import derive
from qml_processors.runner.series import Series
from qml_processors.runner.step import rearm
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Event

if TYPE_CHECKING:
    from qml_processors.runner.partition import Partition

LOSS = "data_loss"
"""The name of the runner's own processor, which no event reaches."""
RULE = "DataLoss"
QUIET = DAY


class LossState(Struct, gc=False):
    """What was lost last, below the offset `until`, at the partition's time `at`; not yet closed if `open`."""

    until: int = 0
    at: int = 0
    open: bool = False


class LossProcessor:
    """Holds what was lost and closes the finding when it is quiet; `report` opens it."""

    name = LOSS
    version = 1
    state = LossState
    bundled = False

    def keys(self, event: Event) -> Sequence[str]:
        """None: no event tells of a loss."""
        return ()

    def open(self, key: str) -> LossState:
        """Start with nothing lost."""
        return LossState()

    def apply(self, state: LossState, event: Event, rules: Rules) -> Iterable[Output]:
        """Never shown an event."""
        return ()

    def next_timer(self, state: LossState, rules: Rules) -> int | None:
        """A day after the last loss."""
        return state.at + QUIET if state.open else None

    def on_timer(self, state: LossState, due: int, rules: Rules) -> Iterable[Output]:
        """Close."""
        state.open = False
        return (Finding(transition="closed", rule=RULE, reason="nothing more was lost for a day"),)

    def migrate(self, raw: bytes, from_version: int) -> LossState:
        """There is no other version yet."""
        raise StateTooNewError(f"{self.name}: state of version {from_version}, this is version {self.version}")


def known_until(partition: "Partition") -> int:
    """Return below which offset a loss is known and was said; 0: nothing was lost."""
    series = partition.slots[LOSS].series.get(_address(partition))
    return 0 if series is None or series.state is None else int(series.state.until)


def report(partition: "Partition", first: int, until: int, unseen: int) -> None:
    """Say that the records in [first, until) are gone; those from `unseen` on were never processed.

    The next commit writes the row with the finding.
    """
    slot = partition.slots[LOSS]
    key = _address(partition)
    series = slot.series.get(key)
    if series is None:
        series = slot.series[key] = Series(slot, *key)
    state = series.state = series.state or LossState()
    state.until, state.at, state.open = until, partition.now, True
    series.last = partition.now
    series.source, series.id, series.openings = f"qml://log/events/{partition.number}", f"{first}-{until}", 0
    config = partition.schedule.current
    never = max(0, until - unseen)
    summary = f"Partition {partition.number}: the log now starts at offset {until}, but {first} was needed. " + (
        f"Up to {never} records were never processed." if never else "Some states lack their last changes."
    )
    finding = Finding(
        transition="updated" if RULE in series.open else "opened",
        rule=RULE,
        labels={"partition": str(partition.number)},
        annotations={"summary": summary},
        values={"first_offset": float(first), "next_offset": float(until), "unprocessed": float(never)},
    )
    cause = Cause(partition.now, series.source, series.id, late=False, config=config)
    partition.outputs.adopt(series, derive(series, (finding,), cause))
    if series.since is not None:
        partition.dirty.remove(series)
    series.since = partition.batch_offset
    partition.dirty.appendleft(series)  # the first to be written
    series.timer = slot.next_timer(state, config.rules)
    rearm(partition, series, partition.now)
    partition.counts.losses += 1
    partition.counts.lost += never


def _address(partition: "Partition") -> tuple[str, str]:
    return ("*", f"events/{partition.number}")
