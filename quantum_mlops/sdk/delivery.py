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

import msgspec
from msgspec import Raw, Struct

from quantum_mlops import codec
from quantum_mlops.events import DATA_TYPES, SHORT_NAMES, Context, Event, UnknownData, type_name
from quantum_mlops.sdk.entry import Deferred, Entry, Item, Ticket
from quantum_mlops.sdk.losses import Losses
from quantum_mlops.sdk.notice import Notices, describe
from quantum_mlops.sdk.scalars import host_scalar
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.nonfinite import holds_nonfinite
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, Writer, class_of
from quantum_mlops.spool.writer import SpoolFullError, SpoolWriter

WAITING_BYTES = 1024 * 1024
_WRITE_SECONDS = 0.025
_ENVELOPE_BYTES = 4096
_JSON_PER_MSGPACK = 6  # one byte of msgpack becomes at most six of JSON: false, or a control character

_FULL = {short: type_name(short) for short in SHORT_NAMES} | {name: name for name in DATA_TYPES}
_RESERVED = frozenset(
    name
    for short, name in _FULL.items()
    if short in ("tick", "config.applied") or short.startswith(("finding", "summary"))
)
_encoder = msgspec.msgpack.Encoder(enc_hook=host_scalar)
_encode_json = msgspec.json.Encoder(enc_hook=host_scalar).encode
_encode_record = msgspec.msgpack.Encoder().encode
_decoders = {name: msgspec.msgpack.Decoder(data).decode for name, data in DATA_TYPES.items()}
_decode_any = msgspec.msgpack.Decoder().decode
_MAP_BYTES = frozenset(bytes([byte]) for byte in (*range(0x80, 0x90), 0xDE, 0xDF))
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RefusedError(ValueError):
    """This event cannot be sent; `reason` is the name under which the loss is counted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Stream:
    """One (partition key, class): its number and the number of its next event."""

    __slots__ = ("n", "sequence")

    def __init__(self, n: int) -> None:
        self.n = n
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
            self._refuse("builder_failed", entry.type, error)

    def _pack(  # noqa: PLR0913, PLR0917 - the fields of an event
        self, entry: Entry, kind: str, data: object, partitionkey: str | None, at: int, extra: Mapping[str, Any] | None
    ) -> None:
        try:
            name = _FULL.get(kind, kind)
            key = partitionkey or self._settings.project
            context = _context(entry, extra)
            raw = Raw(pack_data(name, data))
            spool_class = class_of(name)
            stream = self._streams.get((key, spool_class)) or self._open(key, spool_class)
            record = SpoolRecord(stream.n, stream.sequence, name, at, key, self._settings.project, context, raw)
            packed = _encode_record(record)
            if len(packed) * _JSON_PER_MSGPACK + _ENVELOPE_BYTES > codec.MAX_EVENT_BYTES:
                self._check(record)
        except RefusedError as error:
            self._refuse(error.reason, kind, error)
        except Exception as error:  # noqa: BLE001 - whatever a hostile object raises while it is read: counted
            self._refuse("invalid", kind, error)
        else:
            self._batches[spool_class].append(_Packed(packed, name, stream, stream.sequence))
            stream.sequence += 1

    def _check(self, record: SpoolRecord) -> None:
        """Refuse a record over the limit of one event."""
        decode = _decoders.get(record.type)
        data: Struct = decode(record.data) if decode else UnknownData(Raw(_encode_json(_decode_any(record.data))))
        source = f"qml://{self._writer.host}/{self._writer.nonce}/{record.stream}"
        event = Event(
            id=f"{record.sequence:016x}", source=source, type=record.type, time=record.time,
            partitionkey=record.partitionkey, project=record.project, context=record.context, data=data,
            ingestedtime=record.time,
        )  # fmt: skip
        if (size := len(codec.encode(event))) > codec.MAX_EVENT_BYTES:
            raise RefusedError("too_large", f"{size} bytes of JSON, at most {codec.MAX_EVENT_BYTES}")

    def _open(self, key: str, spool_class: SpoolClass) -> _Stream:
        if not isinstance(key, str) or len(key) > 512:  # noqa: PLR2004 - the contract's label
            raise RefusedError("invalid", "a partition key is a text of at most 512 characters")
        stream = self._streams[key, spool_class] = _Stream(len(self._streams))
        return stream

    def _refuse(self, reason: str, kind: str, error: BaseException) -> None:
        self._losses.count(reason, kind)
        name = kind[:100] if type(kind) is str else "of no type"
        self._notices.once(f"{reason} {name}", f"event {name} not sent ({reason}): {describe(error)}")

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


def _context(entry: Entry, extra: Mapping[str, Any] | None) -> Context:
    run, step = entry.run, entry.step
    if extra is None and step is None:
        return run.context if run is not None else Context()
    own = (
        {}
        if run is None
        else {
            name: value for name in run.context.__struct_fields__ if (value := getattr(run.context, name)) is not None
        }
    )
    if step is not None:
        own["step"] = _plain(step)
    own.update({name: _plain(value) for name, value in (extra or {}).items() if value is not None})
    unknown = own.keys() - set(Context.__struct_fields__)
    if unknown:
        raise RefusedError("invalid", f"no context attribute of the contract: {', '.join(map(str, sorted(unknown)))}")
    return msgspec.convert(own, Context)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else host_scalar(value)


def pack_data(name: str, data: object) -> bytes:
    """Return the msgpack of an event's data, valid against the contract.

    Raises:
        RefusedError: it is not of the type's shape, or holds a number that JSON has not.
        Exception: whatever the objects in it raise.

    """
    if not isinstance(name, str) or not 0 < len(name) <= 512 or name in _RESERVED:  # noqa: PLR2004 - the contract's name
        raise RefusedError("invalid", "not a type that an emitter may send")
    packed = _encoder.encode(data)
    decode = _decoders.get(name)
    if decode is not None:
        valid = decode(packed)
        if type(data) is not type(valid):
            packed = _encoder.encode(valid)
    elif packed[:1] not in _MAP_BYTES:
        raise RefusedError("invalid", "data is an object with named fields")
    else:
        _encode_json(_decode_any(packed))
    if holds_nonfinite(packed):
        raise RefusedError("invalid", "a number is not finite; JSON has no such number")
    return packed


def event_size_bytes(name: str, data: object) -> int:
    """Return an upper bound of an event's JSON, for builders that choose between full data and statistics.

    Raises:
        Exception: whatever the objects in `data` raise.

    >>> event_size_bytes("com.example.note", {"text": "x" * 100}) < 64 * 1024
    True
    """
    return len(_encode_json(data)) + len(name) + _ENVELOPE_BYTES
