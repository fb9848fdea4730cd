"""The jobs that an account has counted, each with the one quote that holds: bounded, and cheap to store.

A state is encoded at every event, so the jobs lie packed in 128 buckets by their mark; an event unpacks one. A bucket
holds 32 jobs; the one that was silent longest leaves first, and so does a job of which nothing came for 35 days. What
left stays in the totals: a later bill of such a job counts as a new job. `left` says how often a bucket was full.
"""

import msgspec
from msgspec import Struct, field

from qml_processors.cost.quote import Quote
from quantum_mlops.clock import DAY

BUCKETS = 128
BUCKET_JOBS = 32
KEPT = 35 * DAY


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One job: its quote, the earliest time and the least step seen of it (-1: none), when it was last heard of."""

    quote: Quote
    first: int
    step: int
    heard: int


_decode = msgspec.msgpack.Decoder(dict[bytes, Entry]).decode
_encode = msgspec.msgpack.Encoder().encode


class Ledger(Struct, gc=False):
    """Jobs by mark, packed; no buckets until the first job."""

    buckets: list[bytes] = field(default_factory=list)
    left: int = 0


def find_entry(ledger: Ledger, mark: bytes) -> Entry | None:
    """Return the job's entry, None where it is not known (any more)."""
    if not ledger.buckets:
        return None
    raw = ledger.buckets[mark[0] % BUCKETS]
    return _decode(raw).get(mark) if raw else None


def enter(ledger: Ledger, mark: bytes, quote: Quote, step: int | None, now: int) -> tuple[Entry | None, Entry]:
    """Merge one quote into the job's entry; return the entry before and after."""
    if not ledger.buckets:
        ledger.buckets = [b""] * BUCKETS
    raw = ledger.buckets[mark[0] % BUCKETS]
    jobs = _decode(raw) if raw else {}
    before = jobs.get(mark)
    after = jobs[mark] = _merge(before, quote, min(quote.time, now), -1 if step is None else step, now)
    for old in [job for job, entry in jobs.items() if now - entry.heard > KEPT]:
        del jobs[old]
    if len(jobs) > BUCKET_JOBS:
        del jobs[min(jobs, key=lambda job: (jobs[job].heard, job))]
        ledger.left += 1
    ledger.buckets[mark[0] % BUCKETS] = _encode(jobs)
    return before, after


def _merge(entry: Entry | None, quote: Quote, time: int, step: int, now: int) -> Entry:
    if entry is None:
        return Entry(quote, time, step, now)
    holds = max(entry.quote, quote, key=lambda one: one.place)
    return Entry(holds, min(entry.first, time), _lesser_step(entry.step, step), max(entry.heard, now))


def _lesser_step(left: int, right: int) -> int:
    return max(left, right) if left < 0 or right < 0 else min(left, right)
