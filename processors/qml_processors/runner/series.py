"""Series and slots: what the runner remembers beside a processor's state.

A slot is one processor with its methods bound and its series; a series is one (processor,
partitionkey, key). Plain attributes, because the hot loop reads and writes them for every event.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from qml_processors.base import Output, Processor
from qml_processors.runner.position import Position
from quantum_mlops.clock import HOUR
from quantum_mlops.config.rules import Rules, Severity
from quantum_mlops.events import Event

Hot = tuple[
    Callable[[Any, Event, Rules], Iterable[Output]],
    Callable[[Any, Rules], int | None],
    Callable[[Any], bytes],
    Callable[[Any, Event, Rules], bool] | None,
]
"""What the hot loop needs of a slot: apply, next_timer, encode, and opens (None: no event needs the state before)."""
ERROR_QUIET = HOUR
"""A ProcessorError finding closes this long after the last error."""


class OpenFinding(Struct, frozen=True, array_like=True, gc=False):
    """A finding that is open: its id, the number of its last transition, and what a closing needs."""

    finding_id: str
    transition: int
    late: bool
    severity: Severity
    labels: dict[str, str]
    annotations: dict[str, str]
    values: dict[str, float]
    project: str


class Series:
    """One series: the state and everything of it that decides an output.

    `state` is None where nothing is remembered (forgotten, or `open` failed). `since` is the replay
    offset of the oldest change that no checkpoint row holds; None: clean. While `asleep` (in a
    recovery) the row `at` is ahead of the replay and ignores it. `buried` is the offset of its last tombstone.
    `routed`: a kept route may hold it.
    """

    __slots__ = (
        "asleep",
        "at",
        "buried",
        "due",
        "entry",
        "error_last",
        "errors",
        "hot",
        "id",
        "key",
        "last",
        "late",
        "open",
        "openings",
        "partitionkey",
        "project",
        "routed",
        "segment",
        "since",
        "slot",
        "source",
        "state",
        "timer",
    )

    def __init__(self, slot: "Slot", partitionkey: str, key: str) -> None:
        self.slot = slot
        self.hot = slot.hot
        self.partitionkey = partitionkey
        self.key = key
        self.state: Any = None
        self.last = 0
        self.source = ""
        self.id = ""
        self.openings = 0
        self.late = False
        self.project = ""
        self.open: dict[str, OpenFinding] = {}
        self.errors = 0
        self.error_last = 0
        self.timer: int | None = None
        self.due: int | None = None
        self.entry: int | None = None
        self.since: int | None = None
        self.asleep = False
        self.at: Position | None = None
        self.buried = -1
        self.routed = False
        self.segment = -1

    @property
    def name(self) -> str:
        """The name of the series in findings: partition key, processor, key."""
        return series_name(self.slot.name, self.partitionkey, self.key)

    @property
    def address(self) -> tuple[str, str, str]:
        """(processor, partitionkey, key): the order in which timers of one instant fire."""
        return (self.slot.name, self.partitionkey, self.key)

    @property
    def gone(self) -> bool:
        """Whether nothing is left to remember."""
        return self.state is None and not self.open and not self.errors


def _may_open(state: Any, event: Event, rules: Rules) -> bool:  # noqa: ARG001 - of a processor that does not say
    return True


def series_name(processor: str, partitionkey: str, key: str) -> str:
    """Return the name of a series; a `/` in the partition key is percent-encoded.

    >>> series_name("drift", "a/b", "k")
    'a%2Fb/drift/k'
    """
    quoted = partitionkey.replace("%", "%25").replace("/", "%2F")
    return f"{quoted}/{processor}/{key}"


class Slot:
    """One processor, with its methods bound once and its series by (partitionkey, key)."""

    __slots__ = (
        "apply",
        "bundled_timers",
        "by_run",
        "decode",
        "encode",
        "hot",
        "keys",
        "migrate",
        "name",
        "next_timer",
        "on_timer",
        "open",
        "series",
        "takes",
        "version",
    )

    def __init__(self, processor: Processor[Any]) -> None:
        self.name: str = processor.name
        self.version: int = processor.version
        bundled = getattr(processor, "bundled", True)
        self.bundled_timers: bool = bool(bundled)
        self.takes: Collection[type[Any]] | None = getattr(processor, "takes", None)
        self.by_run: Collection[type[Any]] = getattr(processor, "by_run", ())
        self.keys: Callable[[Event], Sequence[str]] = processor.keys
        self.open: Callable[[str], Any] = processor.open
        self.apply: Callable[[Any, Event, Rules], Iterable[Output]] = processor.apply
        self.next_timer: Callable[[Any, Rules], int | None] = processor.next_timer
        self.on_timer: Callable[[Any, int, Rules], Iterable[Output]] = processor.on_timer
        self.migrate: Callable[[bytes, int], Any] = processor.migrate
        self.encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
        self.decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(processor.state).decode
        self.series: dict[tuple[str, str], Series] = {}
        opens = getattr(processor, "opens", _may_open) if bundled is True else None
        self.hot: Hot = (self.apply, self.next_timer, self.encode, opens)
