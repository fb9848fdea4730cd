"""The log seam: four streams of records, and one atomic commit for what processors derive.

Memory, SQLite and Kafka implement `Log` and pass one contract suite (tests/contract). Offsets grow
within one (stream, partition) and may have holes. A log has one writing process; its methods may be
called from one thread at a time, `read` and `cursor` from any.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field

from quantum_mlops.events import Event


class Stream(StrEnum):
    """The streams of a log; processors read only `EVENTS`."""

    EVENTS = "events"
    FINDINGS = "findings"
    SUMMARIES = "summaries"
    DEAD_LETTERS = "dead_letters"


class DeadLetter(Struct, frozen=True, kw_only=True, gc=False):
    """What could not be processed, whole, with the reason and where it came from.

    `data` are the bytes as they arrived. `origin` names the place (`spool`, `log`, `processor:<name>`),
    `time` is the log's clock in nanoseconds UTC, `key` the (source, id) where it is known.
    """

    data: bytes
    reason: str
    origin: str
    time: int = 0
    partition: int = 0
    key: tuple[str, str] | None = None


class Undecodable(Struct, frozen=True, gc=False):
    """Bytes in the log that are no event (a foreign writer's)."""

    data: bytes
    reason: str


class Misplaced(Struct, frozen=True, gc=False):
    """An event in a partition that is not its key's. Only the log of a partition's owner tells it apart."""

    event: Event


class Record(Struct, frozen=True, gc=False):
    """One record as read: `event.ingestedtime` is set. `event` is a DeadLetter on that stream only."""

    offset: int
    event: Event | DeadLetter | Undecodable | Misplaced
    ingestedtime: int


class Commit(Struct, frozen=True, kw_only=True):
    """What one batch of one partition derived; it becomes visible as a whole or not at all.

    `watermark` is opaque to the log. `rows` are checkpoint rows by key, None deletes. Records of the
    events stream below `replay_start` are no longer needed to rebuild the states (retention).
    `forwards` are events that lay in the wrong partition: they are appended to the events stream by their key.
    """

    findings: Sequence[Event] = ()
    summaries: Sequence[Event] = ()
    dead_letters: Sequence[DeadLetter] = ()
    forwards: Sequence[Event] = ()
    watermark: bytes
    rows: Mapping[bytes, bytes | None] = field(default_factory=dict)
    replay_start: int = 0


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What `commit` stored last for a partition: `watermark` is None where nothing was committed."""

    watermark: bytes | None = None
    rows: Mapping[bytes, bytes] = field(default_factory=dict)


class Retained(Struct, frozen=True, kw_only=True):
    """What one pass of retention removed; `unread` counts records some cursor had not read yet.

    `complete` is False where a pass ended at its bound and there is more to remove: call again.
    """

    removed: Mapping[str, int]
    unread: int
    complete: bool = True


class Log(Protocol):
    """The seam. Every method raises `LogError` where the store fails."""

    partitions: int

    def partition_of(self, partitionkey: str) -> int:
        """Return the partition of a key: murmur2 as Kafka's default partitioner, modulo `partitions`."""
        ...

    def append(
        self,
        events: Sequence[Event],
        *,
        partition: int | None = None,
        dead_letters: Sequence[DeadLetter] = (),
        cursors: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Append to the events stream, atomically and durably, with the reader positions that go with it.

        Sets `ingestedtime` to max(the partition's last, the log's clock), the same for equal instants.
        An event that already has an `ingestedtime` keeps it if it is not below the partition's last
        (import). `partition` overrides the choice by key (ticks and rules go to every partition).
        Where this raises, nothing of the batch is in the log (EventTooLargeError: an event is over 64 KiB).
        `cursors` are named positions (`None` forgets one), stored in the same transaction:
        that is how a spool is acknowledged.
        """
        ...

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records at or after `offset`, in order; empty at the end. Does not block."""
        ...

    def end(self, stream: Stream, partition: int) -> int:
        """Return the offset that the next record of this partition will have at least."""
        ...

    def start(self, stream: Stream, partition: int) -> int:
        """Return the lowest offset still kept; equals `end` for an empty partition."""
        ...

    def commit(self, partition: int, commit: Commit) -> None:
        """Store outputs, forwards, watermark and checkpoint rows of a batch in one transaction, durably."""
        ...

    def checkpoint(self, partition: int) -> Checkpoint:
        """Return the watermark and all live rows of a partition."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """Return a named reader position, or None where it was never set."""
        ...

    def cursors(self, prefix: str) -> Mapping[str, bytes]:
        """Return all named positions whose name starts with `prefix`."""
        ...

    def move_cursors(self, cursors: Mapping[str, bytes | None]) -> None:
        """Store reader positions, durably; None forgets one."""
        ...

    def retain(self, *, older_than: int, max_bytes: int, readers: Iterable[str] = ()) -> Retained:
        """Remove records ingested before `older_than`, then the oldest until under `max_bytes`; one bounded pass.

        Never removes rules (`config.applied`), nor an events record at or after the last `replay_start` of its
        partition. Counts records removed before the cursors named in `readers` (8-byte big-endian offsets of the
        next record, named `<reader>/<stream>/<partition>`) have passed them.
        """
        ...

    def close(self) -> None:
        """Release the store; idempotent."""
        ...
