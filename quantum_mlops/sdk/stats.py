"""The recorder's counters, for whoever asks."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from quantum_mlops.sdk.delivery import Delivery
from quantum_mlops.sdk.settings import Settings


class Stats(Struct, frozen=True, kw_only=True):
    """Counters of one process since its start (or its fork).

    `written` events are in the spool, `queued` and `waiting` (for a spool that cannot be written) not
    yet, `dropped` never will be; `reasons` says why.
    """

    enabled: bool
    written: int
    queued: int
    waiting: int
    dropped: int
    reasons: dict[str, int]
    spool: str
    spool_bytes: int


def make_stats(
    settings: Settings, losses: Mapping[tuple[str, str], int], delivery: Delivery | None, *, queued: int, closed: bool
) -> Stats:
    """Return the counters of one recorder; `delivery` is None where nothing was recorded yet."""
    reasons: Counter[str] = Counter()
    for (reason, _), number in losses.items():
        reasons[reason] += number
    return Stats(
        enabled=settings.enabled and not closed,
        written=0 if delivery is None else delivery.written,
        queued=queued,
        waiting=0 if delivery is None else delivery.waiting,
        dropped=reasons.total(),
        reasons=dict(reasons),
        spool=settings.spool,
        spool_bytes=0 if delivery is None else delivery.spool_bytes,
    )
