"""The writer thread's half: entries become events with an id and go to the spool.

Runs in one thread at a time. An event gets its stream and its number here; a number whose record did
not reach the spool is given again, so that a hole means loss after this point. Lifecycle records wait
(1 MiB of them) for a spool that cannot be written; bulk records are dropped and counted.
"""

import errno
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Raw, Struct

from quantum_mlops.sdk.entry import Deferred, Entry, Ticket
from quantum_mlops.sdk.losses import Losses, tell_loss
from quantum_mlops.sdk.notice import Notices
from quantum_mlops.sdk.packing import RefusedError, full_type, merge_context, pack_data, pack_record
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, Writer, class_of
from quantum_mlops.spool.writer import SpoolFullError, SpoolWriter

WAITING_BYTES = 1024 * 1024
_WRITE_SECONDS = 0.025
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Stream:
    """One (partition key, class): its source and the number of its next event."""

    __slots__ = ("n", "sequence", "source")

    def __init__(self, n: int, source: str) -> None:
        self.n = n
        self.source = source
        self.sequence = 0


class _Packed(Struct, frozen=True):
    """One record, ready to be written."""

    data: bytes
    type: str
    stream: _Stream
    sequence: int


class Delivery:
    """Packs entries and writes them. Not thread-safe; never raises."""

    def __init__(self, settings: Settings, writer: Writer, losses: Losses, notices: Notices) -> None:
        self._settings = settings
        self._losses = losses
        self._notices = notices
        self._writer = writer
        self._spool = SpoolWriter(Path(settings.spool), writer)
        self._streams: dict[tuple[str, SpoolClass], _Stream] = {}
        self._batches: dict[SpoolClass, list[_Packed]] = {SpoolClass.LIFECYCLE: [], SpoolClass.BULK: []}
        self._waiting = 0
        self._wrote = 0.0
        self.written = 0

    @property
    def waiting(self) -> int:
        """Lifecycle events that wait for the spool to become writable."""
        return self._waiting

    @property
    def pending(self) -> bool:
        """Whether packed records are not written yet."""
        return any(self._batches.values())

    @property
    def spool_bytes(self) -> int:
        """What this process's segments hold."""
        return self._spool.size_bytes

    def take(self, entry: Entry) -> None:
        """Pack one entry; write when 25 ms passed since the last write."""
        data = entry.data
        if type(data) is Ticket:
            data.failed = not self.write()
            data.done.set()
            return
        if type(data) is Deferred:
            self._build(entry, data)
        else:
            self._pack(entry, entry.type, data, entry.partitionkey, entry.time, entry.context)
        if time.monotonic() - self._wrote > _WRITE_SECONDS:
            self.write()

    def _build(self, entry: Entry, deferred: Deferred) -> None:
        try:
            for item in deferred.build():
                context = item.context if entry.context is None else {**entry.context, **(item.context or {})}
                at = entry.time if item.time is None else item.time
                self._pack(entry, item.type, item.data, item.partitionkey or entry.partitionkey, at, context)
        except BaseException as error:  # noqa: BLE001 - an instrumentation's fault, SystemExit included, must not end this thread: counted
            self.refuse("builder_failed", entry.type, error)

    def _pack(
        self, entry: Entry, kind: str, data: object, partitionkey: str | None, at: int, extra: Mapping[str, Any] | None
    ) -> None:
        try:
            name = full_type(kind)
            project = self._settings.project
            key = project if partitionkey is None else partitionkey
            context = merge_context(None if entry.run is None else entry.run.context, entry.step, extra)
            raw = Raw(pack_data(name, data))
            spool_class = class_of(name)
            stream = self._streams.get((key, spool_class)) or self._open(key, spool_class)
            record = SpoolRecord(stream.n, stream.sequence, name, at, key, project, context, raw)
            packed = pack_record(record, stream.source)
        except RefusedError as error:
            self.refuse(error.reason, kind, error)
        except Exception as error:  # noqa: BLE001 - whatever a hostile object raises while it is read: counted
            self.refuse("invalid", kind, error)
        else:
            self._batches[spool_class].append(_Packed(packed, name, stream, stream.sequence))
            stream.sequence += 1

    def _open(self, key: str, spool_class: SpoolClass) -> _Stream:
        n = len(self._streams)
        stream = self._streams[key, spool_class] = _Stream(n, f"qml://{self._writer.host}/{self._writer.nonce}/{n}")
        return stream

    def refuse(self, reason: str, kind: str, error: BaseException) -> None:
        """Count one event that cannot be sent, and say why once."""
        tell_loss(self._losses, self._notices, reason, kind, error)

    def write(self) -> bool:
        """Write what is packed, lifecycle first, and return whether all of it is written; count what is lost."""
        complete = True
        for spool_class, batch in self._batches.items():
            if not batch:
                continue
            try:
                self._spool.write(spool_class, [packed.data for packed in batch], time.time_ns())
            except OSError as error:
                complete = False
                self._keep_or_drop(spool_class, batch, error)
            else:
                self.written += len(batch)
                batch.clear()
        self._waiting = len(self._batches[SpoolClass.LIFECYCLE])
        self._wrote = time.monotonic()
        return complete

    def _keep_or_drop(self, spool_class: SpoolClass, batch: list[_Packed], error: OSError) -> None:
        room = WAITING_BYTES if spool_class is SpoolClass.LIFECYCLE else 0
        kept = 0
        while kept < len(batch) and (room := room - len(batch[kept].data)) >= 0:
            kept += 1
        full = isinstance(error, SpoolFullError)
        reason = "spool_full" if full else "disk_full" if error.errno in _NO_SPACE else "spool_unwritable"
        for packed in reversed(batch[kept:]):
            packed.stream.sequence = packed.sequence
            self._losses.count(reason, packed.type)
        del batch[kept:]
        self._notices.again("spool", f"cannot write the spool: {error}; the program goes on, events are being lost")

    def report_losses(self) -> None:
        """Put an `emitter.dropped` event in the batch if anything was lost, and say so on stderr."""
        dropped = self._losses.take()
        if dropped is None:
            return
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(dropped.reasons.items()))
        self._notices.again("losses", f"{dropped.count} events lost ({reasons}); the program goes on")
        entry = Entry(time.time_ns(), "emitter.dropped", dropped, None, None, None, None)
        self._pack(entry, entry.type, dropped, None, entry.time, None)

    def renew_leases(self) -> None:
        """Show that this process lives."""
        try:
            self._spool.renew_leases()
        except OSError as error:
            self._notices.again("spool", f"cannot touch the spool: {error}")

    def close(self) -> None:
        """Write what is left and seal the segments; what cannot be written is counted and said."""
        self.write()
        left = self._batches[SpoolClass.LIFECYCLE]
        for packed in left:
            self._losses.count("spool_unwritable", packed.type)
        left.clear()
        try:
            self._spool.close()
        except OSError as error:
            self._notices.again("spool", f"cannot seal the spool: {error}")
        lost = self._losses.take()
        if lost is not None:
            self._notices.once("exit", f"{lost.count} events could not be written before the end")

    def abandon(self) -> None:
        """Forget a parent process's files: after a fork."""
        self._spool.abandon()
