"""What one event says a job costs, and which of two such words holds: an order-free merge.

A final cost beats a reserved one, that beats an estimated one. Within a stage the later one by the provider's time
holds (a refund or a correction), then by the emitter's time, then by the event's (source, id): a total order, so any
order of the events of a job leaves the same quote.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from quantum_mlops.events import Event, Job, Money, Session

Stage = Literal["estimated", "reserved", "final"]
STAGES: tuple[Stage, ...] = ("estimated", "reserved", "final")
FINAL = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Quote(Struct, frozen=True, array_like=True, gc=False):
    """One word on a job's cost: the stage's rank, its place in the order, the amount."""

    rank: int
    provider: int
    time: int
    mark: bytes
    amount: str
    currency: str
    price_version: str = ""

    @property
    def place(self) -> tuple[int, int, int, bytes]:
        """Where it stands in the order; the greatest holds."""
        return (self.rank, self.provider, self.time, self.mark)

    @property
    def stage(self) -> Stage:
        """The stage's name."""
        return STAGES[self.rank]


def mark_of(*parts: str) -> bytes:
    """Return 8 bytes that stand for a job's id or an event's (source, id)."""
    return blake2b("\0".join(parts).encode(), digest_size=8).digest()


def quotes_of(event: Event) -> list[Quote]:
    """Return what a job's or a session's event says of its cost, a stage at most once, the highest last."""
    data = event.data
    cost = data.cost if isinstance(data, Job | Session) else None
    if cost is None:
        return []
    provider = _provider_time(data) if isinstance(data, Job) else 0
    mark = mark_of(event.source, event.id)
    known: list[Money | None] = [cost.estimated, cost.reserved, cost.final]
    return [
        Quote(rank, provider, event.time, mark, money.amount, money.currency, money.price_version or "")
        for rank, money in enumerate(known)
        if money is not None
    ]


def _provider_time(job: Job) -> int:
    """Return the latest time that the provider gave, nanoseconds; 0 where it gave none."""
    times = job.times
    if times is None:
        return 0
    known = (times.created, times.queued, times.started, times.ended)
    return max(((time - _EPOCH) // timedelta(microseconds=1) * 1000 for time in known if time is not None), default=0)
