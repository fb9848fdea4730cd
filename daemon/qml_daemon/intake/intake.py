"""Tails a spool folder onto the log: batches, with the segments' positions in the same transaction.

So what the log has and how far the spool is read move together; a segment is removed only after both
are stored. A crash anywhere leaves at most a file that the next start removes.
"""

from pathlib import Path

from msgspec import Struct

from qml_daemon.intake.adoption import HostFacts
from qml_daemon.intake.folder import Listing, look_into, printable
from qml_daemon.intake.segment import FollowedSegment, SegmentCursor, unpack_cursor
from qml_daemon.intake.sieve import ORIGIN, REFUSALS, refuse_service_types, sift
from qml_daemon.intake.spool import Spool
from quantum_mlops.clock import MINUTE, Clock
from quantum_mlops.events import Event
from quantum_mlops.spool.claim import SpoolClaim
from quantum_mlops.spool.segment import SpoolClass
from quantum_mlops.transports.base import DeadLetter, Log

SLICE_BYTES = 128 * 1024
MAX_POLL_BYTES = 32 * 1024 * 1024
BULK_SHARE = 0.25
MAX_REPORTED = 1000
_SEGMENTS = "spool/segment/"
_REPORTED = "spool/reported/"
_RETRY = MINUTE


class IntakeStats(Struct, frozen=True, kw_only=True):
    """What the intake did since its start, and what it sees now (`segments`, `foreign`, `lag_bytes`, `fault`).

    `adopted` counts segments ended because their writer is gone. `fault` is the reason why the folder, or a
    file in it, cannot be read or removed, else None.
    """

    events: int
    dead_letters: int
    removed: int
    adopted: int
    segments: int
    foreign: int
    lag_bytes: int
    fault: str | None


class _Batch:
    """What one poll takes to the log."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.positions: dict[str, SegmentCursor] = {}
        self.marks: dict[str, bytes | None] = {}
        self.adopted = 0
        self.size_bytes = 0

    def is_full(self, limit: int) -> bool:
        """Return whether no more should be read: damage counts as well, so that a poll never takes long."""
        return len(self.events) + len(self.letters) >= limit or self.size_bytes >= MAX_POLL_BYTES


class Intake:
    """Reads the segments in `folder` onto `log`. Not thread-safe; one intake a log.

    Args:
        log: where events go.
        folder: the spool; may be absent.
        clock: nanoseconds UTC.
        host_facts: where this process runs (`adoption.this_host()`).
        slice_bytes: what is read of one segment before it is another's turn.

    """

    def __init__(
        self, log: Log, folder: Path | str, clock: Clock, host_facts: HostFacts, slice_bytes: int = SLICE_BYTES
    ) -> None:
        self._slice_bytes = slice_bytes
        self._log = log
        self._folder = Path(folder)
        self._clock = clock
        self._spool = Spool(self._folder, host_facts)
        self._claim = SpoolClaim(self._folder)
        self._cursors: dict[str, SegmentCursor] = {}
        self._reported: set[str] = set()
        self._load()
        self._unreadable: dict[str, tuple[int, str]] = {}  # by name: when to try again, and why
        self._turn = 0
        self._foreign = 0
        self._events = self._letters = self._removed = self._adopted = 0
        self._fault: str | None = None

    def poll(self, limit: int) -> int:
        """Append about `limit` events and dead letters (whole frames) and return how many were events.

        Reads what is there and returns; blocks for one transaction of the log. Lifecycle segments go first and
        leave a quarter to bulk segments; within a class writers take turns; each writer's order is kept.

        Raises:
            LogError: the log failed; nothing is lost, the next poll reads the same again.

        """
        if self._unsure:
            self._load()
        now = self._clock()
        batch = _Batch()
        self._unreadable = {name: entry for name, entry in self._unreadable.items() if entry[0] > now}
        self._fault = next((reason for _, reason in self._unreadable.values()), None)
        try:
            if not self._claim.hold():
                self._fault = f"{self._folder}: another daemon, or quantum-mlops ship, reads this spool"
                return 0
            listing = look_into(self._folder)
        except OSError as error:
            self._fault = f"{self._folder}: {error.strerror}"
            return 0
        self._foreign = len(listing.foreign)
        self._report(listing.foreign, batch)
        self._forget_reports(listing, batch)
        self._spool.update(listing.segments, self._cursors, now)
        lifecycle, bulk = (
            self._spool.heads(of, self._turn, self._unreadable) for of in (SpoolClass.LIFECYCLE, SpoolClass.BULK)
        )
        self._turn += 1
        share = int(limit * BULK_SHARE) if any(segment.lag_bytes for segment in bulk) else 0
        self._take(lifecycle, batch, limit - share, now)
        self._take(bulk, batch, limit, now)
        self._append(batch)
        self._remove_done()
        return len(batch.events)

    def lag_bytes(self) -> int:
        """Return how many bytes of the spool the log does not have, as of the last poll."""
        return self._spool.lag_bytes

    def stats(self) -> IntakeStats:
        """Return counts since the start, and what the last poll saw."""
        return IntakeStats(
            events=self._events,
            dead_letters=self._letters,
            removed=self._removed,
            adopted=self._adopted,
            segments=len(self._spool),
            foreign=self._foreign,
            lag_bytes=self._spool.lag_bytes,
            fault=self._fault,
        )

    def close(self) -> None:
        """Release all files; idempotent. The log stays open."""
        self._spool.update({}, {}, 0)
        self._claim.release()

    def _load(self) -> None:
        """Take over the positions that the log has; after an error it alone knows whether the batch is stored."""
        self._unsure = True
        self._cursors = {
            name.removeprefix(_SEGMENTS): unpack_cursor(data) for name, data in self._log.cursors(_SEGMENTS).items()
        }
        self._reported = {name.removeprefix(_REPORTED) for name in self._log.cursors(_REPORTED)}
        for segment in self._spool:
            segment.cursor = self._cursors.get(segment.path.name, SegmentCursor())
        self._unsure = False

    def _take(self, segments: list[FollowedSegment], batch: _Batch, limit: int, now: int) -> None:
        """Read a slice of each segment in turn until the batch is full or nothing is left."""
        while segments:
            more: list[FollowedSegment] = []
            for segment in segments:
                if batch.is_full(limit):
                    return
                if self._take_slice(segment, batch, now):
                    more.append(segment)
            segments = more

    def _take_slice(self, segment: FollowedSegment, batch: _Batch, now: int) -> bool:
        """Read one slice; return whether there may be more."""
        name = segment.path.name
        before = batch.positions.get(name, segment.cursor).position
        try:
            final = self._spool.is_final(segment, now)
            chunk = segment.read(before, self._slice_bytes, final=final)
        except OSError as error:
            self._fault = f"{segment.path}: {error.strerror}"
            self._unreadable[name] = (now + _RETRY, self._fault)
            self._report({name: f"cannot be read: {error.strerror}"}, batch)
            return False
        if chunk is None:
            segment.close()
            return False
        batch.size_bytes += chunk.position - before
        events, refused = refuse_service_types(chunk.events)
        batch.events += events
        batch.letters += refused
        batch.letters += (DeadLetter(data=data, reason=reason, origin=ORIGIN) for data, reason in chunk.broken)
        ended = final and chunk.position == before
        if chunk.position > before or ended:
            batch.positions[name] = SegmentCursor(chunk.position, done=chunk.sealed or ended)
            batch.adopted += ended and not self._spool.is_rotated(segment)
        return chunk.position > before and not chunk.sealed

    def _report(self, found: dict[str, str], batch: _Batch) -> None:
        """Make one dead letter of each entry that is no readable segment, once, also over restarts."""
        for name, reason in found.items():
            shown = printable(name)
            if shown not in self._reported and len(self._reported) + len(batch.marks) < MAX_REPORTED:
                batch.marks[shown] = b""
                batch.letters.append(DeadLetter(data=shown.encode(), reason=f"{shown}: {reason}", origin=ORIGIN))

    def _forget_reports(self, listing: Listing, batch: _Batch) -> None:
        """Let go of reports on entries that are gone from the folder."""
        if self._reported:
            there = {printable(name) for name in (*listing.foreign, *listing.segments)}
            batch.marks.update(dict.fromkeys(self._reported - there))

    def _append(self, batch: _Batch) -> None:
        """Bring the batch to the log; only then does what is known here move on."""
        if not (batch.events or batch.letters or batch.positions or batch.marks):
            return
        cursors: dict[str, bytes | None] = {_REPORTED + name: mark for name, mark in batch.marks.items()}
        cursors.update({_SEGMENTS + name: position.pack() for name, position in batch.positions.items()})
        self._unsure = True
        try:
            self._log.append(batch.events, dead_letters=batch.letters, cursors=cursors)
        except REFUSALS:  # decided before anything was written: find out which event it was
            batch.events, refused = sift(batch.events)
            batch.letters += refused
            self._log.append(batch.events, dead_letters=batch.letters, cursors=cursors)
        self._unsure = False
        self._events += len(batch.events)
        self._letters += len(batch.letters)
        self._adopted += batch.adopted
        self._reported = {
            name for name in self._reported | batch.marks.keys() if batch.marks.get(name, b"") is not None
        }
        self._cursors.update(batch.positions)
        for segment in self._spool:
            segment.cursor = batch.positions.get(segment.path.name, segment.cursor)

    def _remove_done(self) -> None:
        """Remove the files that the log has whole, then forget their positions."""
        forget: dict[str, bytes | None] = {}
        for name in [name for name, cursor in self._cursors.items() if cursor.done]:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError as error:
                self._fault = f"{self._folder / name}: cannot be removed: {error.strerror}"
            else:
                forget[_SEGMENTS + name] = None
        if forget:
            self._log.move_cursors(forget)
            for name in forget:
                del self._cursors[name.removeprefix(_SEGMENTS)]
            self._removed += len(forget)
