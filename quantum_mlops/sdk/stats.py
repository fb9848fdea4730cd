"""The recorder's counters, for whoever asks."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from quantum_mlops.sdk.delivery import Delivery
from quantum_mlops.sdk.settings import Settings

if TYPE_CHECKING:
    from quantum_mlops.shipping.shipper import Shipper


class Stats(Struct, frozen=True, kw_only=True):
    """Counters of one process since its start (or its fork).

    `written` events are in the spool, `queued` and `waiting` (for a spool that cannot be written) not
    yet, `dropped` never will be; `reasons` says why. With a `target` (the address of a service)
    `acknowledged` events have arrived there and `rejected` ones never will; `trouble` says why it
    cannot be reached now.
    """

    enabled: bool
    written: int
    queued: int
    waiting: int
    dropped: int
    reasons: dict[str, int]
    spool: str
    spool_bytes: int
    target: str | None = None
    acknowledged: int = 0
    rejected: int = 0
    trouble: str | None = None


def make_stats(
    settings: Settings,
    losses: Mapping[tuple[str, str], int],
    delivery: Delivery | None,
    shipper: "Shipper | None",
    *,
    queued: int,
    closed: bool,
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
        target=settings.target,
        acknowledged=0 if shipper is None else shipper.counts.acknowledged,
        rejected=0 if shipper is None else shipper.counts.rejected,
        trouble=None if shipper is None else shipper.trouble,
    )
