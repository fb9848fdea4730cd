"""Brings segments to a service, slice by slice: read, post, remember, remove; in this order.

So a crash anywhere sends at most one batch again, and nothing is removed that was not acknowledged.
What the service rejects, and what is damaged, is counted and kept in the file of rejects.
"""

from collections import defaultdict
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct, field

from quantum_mlops.clock import Clock
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.errors import PermanentError
from quantum_mlops.events import Event
from quantum_mlops.shipping.answer import BatchRefusedError, Rejected
from quantum_mlops.shipping.heads import Head
from quantum_mlops.shipping.position import Positions
from quantum_mlops.shipping.rejects import Rejects
from quantum_mlops.spool.reader import SegmentReader

SLICE_BYTES = 128 * 1024
MAX_BATCH_EVENTS = 1000
MAX_BATCH_BYTES = 768 * 1024
_ERRORS = (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)


class Poster(Protocol):
    """Sends batches: `client.Client`."""

    def post(self, events: list[bytes]) -> list[Rejected]:
        """Send one batch; see `client.Client.post`."""
        ...


class Tell(Protocol):
    """Says one line on a topic to a person; not too often."""

    def __call__(self, topic: str, text: str) -> None:
        """Say it."""
        ...


class Counts(Struct):
    """What became of events since the start: acknowledged, rejected for good, and segments removed."""

    acknowledged: int = 0
    rejected: int = 0
    removed: int = 0


class _Batch(Struct):
    events: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    moved: list[tuple[Head, int, bool]] = field(default_factory=list)
    size_bytes: int = 0


class Shipment:
    """Ships the segments of one spool. Not thread-safe; `step` blocks for one post."""

    def __init__(self, spool: Path, poster: Poster, clock: Clock, tell: Tell) -> None:
        self.counts = Counts()
        self._poster = poster
        self._clock = clock
        self._tell = tell
        self._spool = spool
        self._rejects = Rejects(spool)
        self._positions: dict[str, Positions] = {}
        self._batch_bytes = MAX_BATCH_BYTES

    def step(self, heads: list[Head]) -> bool:
        """Send about one batch from the segments; return whether there was something.

        Raises:
            RetryableError: later; nothing moved.
            PermanentError: not before a person mends something; nothing moved, unless a sent segment cannot be removed.

        """
        batch = _Batch()
        for head in heads:
            if batch.size_bytes >= self._batch_bytes or len(batch.events) >= MAX_BATCH_EVENTS:
                break
            self._read(head, batch)
        if not batch.moved:
            return False
        refused = self._send(batch.events)
        self._keep(batch.refused + refused)
        self.counts.acknowledged += len(batch.events) - len(refused)
        self._move(batch)
        return True

    def lag_bytes(self, heads: list[Head]) -> int:
        """Return how many bytes of these segments are not acknowledged."""
        return sum(max(0, head.size - self._of(head).get(head.path.name)) for head in heads)

    def _of(self, head: Head) -> Positions:
        nonce = head.name.nonce
        if nonce not in self._positions:
            self._positions[nonce] = Positions(self._spool, nonce)
        return self._positions[nonce]

    def _read(self, head: Head, batch: _Batch) -> None:
        before = self._of(head).get(head.path.name)
        if head.size <= before and not head.final:
            return
        try:
            reader = SegmentReader(head.path)
        except FileNotFoundError:
            return  # somebody else was quicker
        except OSError as error:
            self._tell(f"read {head.path.name}", f"cannot read {head.path}: {error.strerror}; it stays there")
            return
        try:
            chunk = reader.read(before, SLICE_BYTES, final=head.final)
        except OSError as error:
            self._tell(f"read {head.path.name}", f"cannot read {head.path}: {error.strerror}; it stays there")
            return
        finally:
            reader.close()
        ended = head.final and chunk.position == before
        if chunk.position == before and not ended:
            return
        for event in chunk.events:
            self._encode(event, batch)
        batch.refused += chunk.broken
        batch.moved.append((head, chunk.position, chunk.sealed or ended))

    def _encode(self, event: Event, batch: _Batch) -> None:
        try:
            data = encode(event)
        except _ERRORS as error:
            batch.refused.append((repr(event).encode("utf-8", "replace"), f"no JSON: {error}"))
            return
        if len(data) > MAX_EVENT_BYTES:
            batch.refused.append((data, f"{len(data)} bytes, at most {MAX_EVENT_BYTES}"))
            return
        batch.events.append(data)
        batch.size_bytes += len(data)

    def _send(self, events: list[bytes]) -> list[tuple[bytes, str]]:
        """Post events in parts that the service takes; return the rejected ones with their reasons."""
        rejected: list[tuple[bytes, str]] = []
        waiting = [events[at : at + MAX_BATCH_EVENTS] for at in range(0, len(events), MAX_BATCH_EVENTS)][::-1]
        while waiting:
            part = waiting.pop()
            size = sum(map(len, part))
            if size > self._batch_bytes and len(part) > 1:
                waiting += _halves(part)
                continue
            try:
                rejected += [(part[one.index], one.reason) for one in self._poster.post(part)]
            except BatchRefusedError as error:
                if len(part) == 1:
                    rejected.append((part[0], str(error)))
                    continue
                if error.too_large:  # learned: later batches are not longer than this service or its proxy takes
                    self._batch_bytes = max(MAX_EVENT_BYTES, size // 2)
                waiting += _halves(part)
        return rejected

    def _keep(self, refused: list[tuple[bytes, str]]) -> None:
        if not refused:
            return
        self.counts.rejected += len(refused)
        try:
            kept = self._rejects.keep(refused, self._clock())
        except OSError as error:
            self._tell(
                "rejects", f"cannot keep {len(refused)} rejected events in {self._rejects.path}: {error.strerror}"
            )
            return
        lost = "" if kept == len(refused) else f"; {len(refused) - kept} found no room there"
        self._tell(
            "rejected",
            f"{self.counts.rejected} events rejected ({refused[0][1][:200]}), kept in {self._rejects.path}{lost}",
        )

    def _move(self, batch: _Batch) -> None:
        moved: dict[str, dict[str, int | None]] = defaultdict(dict)
        fault: PermanentError | None = None
        for head, position, done in batch.moved:
            try:
                if done:
                    head.path.unlink(missing_ok=True)
                    self.counts.removed += 1
            except OSError as error:
                fault = PermanentError(f"all of {head.path} is sent, but it cannot be removed: {error.strerror}")
                done = False  # noqa: PLW2901 - it is still there: its position has to be
            moved[head.name.nonce][head.path.name] = None if done else position
        for nonce, positions in moved.items():
            try:
                self._positions[nonce].move(positions)
            except OSError as error:
                self._tell("position", f"cannot store how far is sent: {error.strerror}; some may be sent twice")
        if fault is not None:
            raise fault


def _halves(part: list[bytes]) -> list[list[bytes]]:
    """Return the second half and the first, which is taken first."""
    middle = len(part) // 2
    return [part[middle:], part[:middle]]
