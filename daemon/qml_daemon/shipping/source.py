"""The segments that a sidecar ships: all of a spool, but for those whose own process ships them."""

from pathlib import Path

from qml_daemon.intake.adoption import HostFacts
from qml_daemon.intake.folder import look_into
from qml_daemon.intake.segment import FollowedSegment
from qml_daemon.intake.spool import Spool
from quantum_mlops.clock import Clock
from quantum_mlops.shipping.heads import Head
from quantum_mlops.shipping.position import WriterLock
from quantum_mlops.spool.segment import SpoolClass


class SpoolSource:
    """Not thread-safe. When a segment may be ended is decided as in the daemon's intake.

    One thing more is certain here: whose process held a lock on this machine's boot, and does no more, is gone.
    """

    def __init__(self, folder: Path, facts: HostFacts, clock: Clock) -> None:
        self._folder = folder
        self._facts = facts
        self._clock = clock
        self._spool = Spool(folder, facts)
        self._locks: dict[str, WriterLock] = {}
        self._busy: set[str] = set()
        self._turn = 0

    @property
    def busy(self) -> int:
        """How many writers ship their segments themselves, as of the last look."""
        return len(self._busy)

    def heads(self) -> list[Head]:
        """Return the first segment of each writer and class, lifecycle first, writers in turn.

        Raises:
            OSError: the folder cannot be read.

        """
        now = self._clock()
        listing = look_into(self._folder)
        self._spool.update(listing.segments, {}, now)
        self._lock({found.name.nonce for found in listing.segments.values()})
        self._turn += 1
        heads: list[Head] = []
        for spool_class in (SpoolClass.LIFECYCLE, SpoolClass.BULK):
            for segment in self._spool.heads(spool_class, self._turn, ()):
                if segment.name.nonce not in self._busy:
                    final = self._is_final(segment, now)
                    heads.append(Head(segment.path, segment.name, segment.size, final))
        return heads

    def all(self) -> list[Head]:
        """Return every segment that is not shipped by its own process, as of the last look."""
        return [
            Head(segment.path, segment.name, segment.size, final=False)
            for segment in self._spool
            if segment.name.nonce not in self._busy
        ]

    def close(self) -> None:
        """Let go of all locks; idempotent."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _lock(self, nonces: set[str]) -> None:
        for nonce in self._locks.keys() - nonces:
            self._locks.pop(nonce).remove()
        self._busy = set()
        for nonce in nonces - self._locks.keys():
            lock = WriterLock(self._folder, nonce, create=False)
            if lock.held:
                self._locks[nonce] = lock
            elif lock.exists:
                self._busy.add(nonce)

    def _is_final(self, segment: FollowedSegment, now: int) -> bool:
        try:
            if self._spool.is_final(segment, now):
                return True
        except OSError:
            return False  # the shipment meets the same file and says so
        finally:
            segment.close()
        header = segment.header
        if segment.name.nonce not in self._locks or header is None or not header.boot_id:
            return False
        return (header.host, header.boot_id) == (self._facts.host, self._facts.boot_id)
