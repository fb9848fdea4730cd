"""When a segment's writer is surely gone, so that its segment may be ended and removed.

Reading a segment is always allowed; ending one whose writer lives would lose what it still writes.
A pid tells only within the same host, boot and pid namespace; elsewhere only a lease does: the writer
touches its file every 10 seconds.
"""

import os

from msgspec import Struct

from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.spool.segment import SegmentHeader, boot_id, pid_namespace

LEASE_TIMEOUT = 5 * MINUTE
# The file's clock may be another machine's, and NFS shows times up to a minute late: silence must also be seen.
SEEN_TIMEOUT = 90 * SECOND


class HostFacts(Struct, frozen=True, kw_only=True):
    """Where this process runs, as far as pids are concerned; the empty text is unknown."""

    host: str
    boot_id: str
    pid_namespace: str


def this_host() -> HostFacts:
    """Return the facts of this process. Reads /proc."""
    return HostFacts(host=os.uname().nodename or "localhost", boot_id=boot_id(), pid_namespace=pid_namespace())


class Lease(Struct):
    """What was seen of one file's modification time; times in nanoseconds UTC."""

    modified: int
    changed_at: int

    def see(self, modified: int, now: int) -> None:
        """Take note of the file's modification time."""
        if modified != self.modified or now < self.changed_at:
            self.modified = modified
            self.changed_at = now

    def expired(self, now: int) -> bool:
        """Return whether the file is 5 minutes old and was seen unchanged for 90 seconds."""
        return now - self.modified >= LEASE_TIMEOUT and now - self.changed_at >= SEEN_TIMEOUT


def is_writer_gone(header: SegmentHeader | None, facts: HostFacts, lease: Lease, now: int) -> bool:
    """Return whether the writer of a segment is surely gone.

    A pid that lives may have gone to another process: then the segment waits for that one's end, or for
    a reboot after which the lease decides.
    """
    if header is not None and _is_neighbour(header, facts):
        return not _lives(header.pid, settled=lease.expired(now))
    return lease.expired(now)


def _is_neighbour(header: SegmentHeader, facts: HostFacts) -> bool:
    return (
        bool(facts.boot_id and facts.pid_namespace)
        and header.host == facts.host
        and header.boot_id == facts.boot_id
        and header.pid_namespace == facts.pid_namespace
    )


def _lives(pid: int, *, settled: bool) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not (settled and _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    """Return whether a process ended and its parent has not asked for its status."""
    try:
        with open(f"/proc/{pid:d}/stat", "rb") as file:  # noqa: PTH123 - read once per settled segment
            return file.read(512).rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return False
