"""The order of a job's statuses: what is known after events that came in any order, some twice.

The status of a job is the one of highest rank among its events, so no order of arrival can change it.
`job.billed` is news of the bill, not of the status. Terminal statuses have distinct ranks: two emitters that
disagree about the end agree on the winner. `completed` wins, because a result exists; `failed` is next,
because a cancellation is often only asked for. `unknown` (the provider no longer tells) ranks above what may
still go on and below every end, because an end that is heard of later is the better news.
"""

from typing import Final

STATUS_RANKS: Final[dict[str, int]] = {
    "created": 1,
    "queued": 2,
    "running": 3,
    "unknown": 4,
    "cancelled": 5,
    "failed": 6,
    "completed": 7,
}
"""Rank by status; the statuses are the short names of the job types without `job.`."""

STATUSES: Final[tuple[str, ...]] = tuple(STATUS_RANKS)
"""The statuses, lowest rank first."""

TERMINAL_STATUSES: Final[frozenset[str]] = frozenset({"cancelled", "failed", "completed"})
"""After these nothing more is expected but the bill."""

_BY_TYPE = {f"quantum_mlops.job.{status}.v1": status for status in STATUSES}


def job_status(event_type: str) -> str | None:
    """Return the status that a CloudEvents `type` tells; None for `job.billed` and for all that is no job.

    >>> job_status("quantum_mlops.job.failed.v1"), job_status("quantum_mlops.job.billed.v1")
    ('failed', None)
    """
    return _BY_TYPE.get(event_type)


def higher_status(first: str | None, second: str | None) -> str | None:
    """Return the status of higher rank; None, or a word that is no status, ranks lowest.

    >>> higher_status("completed", "running"), higher_status(None, "queued")
    ('completed', 'queued')
    """
    return first if STATUS_RANKS.get(first or "", 0) >= STATUS_RANKS.get(second or "", 0) else second
