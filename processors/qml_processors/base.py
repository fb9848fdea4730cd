"""The contract of a processor: pure steps from (state, event, rules) to findings and summaries.

The runner owns states, order, timers, ids and commits; a processor only decides. See
docs/architecture.md, "Processors and runner".
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from quantum_mlops.config.rules import Rules
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Event, Severity


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """One transition of a finding as a processor says it; the runner gives it its id and transition.

    `rule` includes direction and sub-kind (`CircuitDrift`, `LowAccuracy/below`). Within one series
    at most one finding per `rule` is open: `opened` while it is open, or `updated` and `closed` while
    it is not, is an error of the processor. `notice` is a one-shot. `values` are finite.
    """

    transition: Literal["opened", "updated", "closed", "notice"]
    rule: str
    severity: Severity = "warning"
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    evidence: list[tuple[str, str]] = field(default_factory=list)
    reason: str | None = None


class Summary(Struct, frozen=True, kw_only=True, gc=False):
    """A summary of [start, end) nanoseconds UTC; the series and `end` make its id."""

    kind: Literal["run", "window"]
    start: int
    end: int
    labels: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


class Forget(Struct, frozen=True, gc=False):
    """This series ended: its state goes, by tombstone. Open findings must be closed before."""


def dephase(series: str, period: int) -> int:
    """Return an offset in [0, period) that depends on the name of the series alone.

    Windows of many series that start at their own offsets do not all close at one instant. The same
    in every process (CRC-32, unlike `hash`).

    >>> dephase("vqc-1", 60_000_000_000)
    20703771659
    """
    return (zlib.crc32(series.encode()) * period) >> 32


Output = Finding | Summary | Forget
S = TypeVar("S", bound=Struct)


class Processor(Protocol[S]):
    """One kind of watching. Stateless itself: everything that is remembered is in `S`.

    `state` is a msgspec Struct without sets and aliases, with floats where floats are declared.
    No method does IO, reads a clock, draws random numbers or touches globals. What a method raises
    discards its step: the series starts anew from `open(key)` and a ProcessorError finding says so.

    `name` is lower_snake and unique: processors run in its order. An optional class attribute
    `bundled = False` says that findings need no evidence bundle, which saves encoding the state
    before each event; `bundled = "timers"` that those of `on_timer` alone have one. `takes` may name the classes
    of data that it ever has keys for, by default all; `by_run` those for which `keys` follows from the event's
    project and run alone (of a `Job` without cost and session also from type, backend and role), so that it is not
    asked again for each event. `labels` may name the labels that findings can have, so that `config check` can tell a
    mistyped one; leave it out where data decides. An optional method `opens(state, event,
    rules) -> bool` says, changing nothing, whether `apply` may open or notice: where it says no the state is not
    encoded, and what would be opened after all had no bundle.
    """

    name: str
    version: int
    state: type[S]

    def keys(self, event: Event) -> Sequence[str]:
        """Return the series that this event touches, ordered, no repeats; empty: not mine.

        The partition key is not part of a key: the runner adds it.
        """
        ...

    def open(self, key: str) -> S:
        """Return the state of a series before its first event."""
        ...

    def apply(self, state: S, event: Event, rules: Rules) -> Iterable[Output]:
        """Change `state` by one event and yield what follows from it.

        `event.ingestedtime` is the effective one: the partition's `now`.
        """
        ...

    def next_timer(self, state: S, rules: Rules) -> int | None:
        """Return when `on_timer` is owed, in nanoseconds of the log's clock; None for a fresh state."""
        ...

    def on_timer(self, state: S, due: int, rules: Rules) -> Iterable[Output]:
        """Do all that is owed up to `due`; afterwards `next_timer` is None or greater than `due`."""
        ...

    def migrate(self, raw: bytes, from_version: int) -> S:
        """Return today's state from the msgpack bytes of an older version's.

        Raises:
            StateTooNewError: `from_version` is newer than `version`.

        """
        ...


def unpack_state(processor: Processor[S], raw: bytes, from_version: int) -> S:
    """Return the state in `raw`, for a processor whose states only ever gained fields with defaults.

    Raises:
        StateTooNewError: the state was written by a newer version of the processor.

    """
    if from_version > processor.version:
        raise StateTooNewError(f"{processor.name} state of version {from_version}, this is {processor.version}")
    return msgspec.msgpack.decode(raw, type=processor.state)
