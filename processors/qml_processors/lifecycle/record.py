"""One job as all its events tell it: an order-free merge, so any order of them, with repeats, gives the same record.

The status of highest rank wins. A field wins by its provider time (the newest stamp in its event, 0 without one),
ties by (source, id). Times of the emitters are the earliest of a status. Only `since` is of the log's clock: when the
status was first received, which is a fact of the arrival.
"""

import zlib
from functools import lru_cache

from msgspec import Struct

from quantum_mlops.clock import SECOND
from quantum_mlops.events import Event, Job, ProviderTimes
from quantum_mlops.events.job_status import STATUS_RANKS, TERMINAL_STATUSES, job_status
from quantum_mlops.timestamps import parse_time

CODE_LENGTH = 64
_FIRST_END = min(STATUS_RANKS[status] for status in TERMINAL_STATUSES)
_LAST_TIMED = STATUS_RANKS["running"]
_BY_RANK = {rank: status for status, rank in STATUS_RANKS.items()}


@lru_cache(maxsize=256)
def _digest(source: str) -> int:
    return zlib.crc32(source.encode())


Mark = tuple[int, str, str]
"""(provider time or 0, source, id): what decides between two emitters that tell different things."""


class JobRecord(Struct, array_like=True, gc=False):
    """What is known of one job.

    Attributes:
        rank: Rank of the status; 0 before any was heard.
        news: (emitter's time, source, id) of the first event of this status.
        created, queued, running: (emitter's time, digest of the source) of the first event of each.
        waiting, started, finished: The provider's times, each with what it won by.
        code: The failure's code, with what it won by.
        run: The run that submitted it.
        since: The log's time at which the status was first received.
        due: The log's time at which to ask whether it is stuck; None where that is not owed.
        stuck: Whether the open finding counts it.

    """

    rank: int = 0
    news: Mark = (0, "", "")
    created: tuple[int, int] | None = None
    queued: tuple[int, int] | None = None
    running: tuple[int, int] | None = None
    waiting: tuple[int, Mark] | None = None
    started: tuple[int, Mark] | None = None
    finished: tuple[int, Mark] | None = None
    code: tuple[str, Mark] | None = None
    run: str = ""
    since: int = 0
    due: int | None = None
    stuck: bool = False

    @property
    def status(self) -> str:
        """The status in words; empty before any was heard."""
        return _BY_RANK.get(self.rank, "")

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected."""
        return self.rank >= _FIRST_END

    @property
    def failed(self) -> bool:
        """Whether it ended by failing."""
        return self.rank == STATUS_RANKS["failed"]

    @property
    def counts(self) -> bool:
        """Whether it ended with a result or a failure; a cancelled job says nothing of its backend."""
        return self.rank > STATUS_RANKS["cancelled"]

    @property
    def end(self) -> int:
        """The emitter's time of its status: of its end, where it has ended."""
        return self.news[0]


def merge(record: JobRecord, event: Event, data: Job) -> None:
    """Take in one event of the job."""
    status = job_status(event.type)
    if status is not None:
        _take_status(record, status, event)
    run = event.context.runid
    if run is not None and run > record.run:
        record.run = run
    if data.times is not None or data.failure is not None:
        _take_fields(record, event, data)


def _take_status(record: JobRecord, status: str, event: Event) -> None:
    rank = STATUS_RANKS[status]
    news = (event.time, event.source, event.id)
    if rank > record.rank:
        record.rank, record.news, record.since = rank, news, event.ingestedtime or 0
        record.due, record.stuck = None, False
    elif rank == record.rank and news < record.news:
        record.news = news
    if rank <= _LAST_TIMED:
        first = (event.time, _digest(event.source))
        known: tuple[int, int] | None = getattr(record, status)
        if known is None or first < known:
            setattr(record, status, first)


def _take_fields(record: JobRecord, event: Event, data: Job) -> None:
    waiting, started, finished = _provider_times(data.times)
    stamp = max((time for time in (waiting, started, finished) if time is not None), default=0)
    mark = (stamp, event.source, event.id)
    record.waiting = _newer(record.waiting, waiting, mark)
    record.started = _newer(record.started, started, mark)
    record.finished = _newer(record.finished, finished, mark)
    if data.failure is not None and (record.code is None or mark > record.code[1]):
        record.code = (data.failure.code[:CODE_LENGTH], mark)


def _newer(known: tuple[int, Mark] | None, value: int | None, mark: Mark) -> tuple[int, Mark] | None:
    if value is None or (known is not None and known[1] > mark):
        return known
    return (value, mark)


def _provider_times(times: ProviderTimes | None) -> tuple[int | None, int | None, int | None]:
    """Return when it began to wait, started and ended; a provider without `queued` waits from `created`."""
    if times is None:
        return None, None, None
    waiting = times.queued if times.queued is not None else times.created
    return tuple(
        None if time is None else parse_time(time.isoformat()) for time in (waiting, times.started, times.ended)
    )  # type: ignore[return-value]


def queue_seconds(record: JobRecord) -> float | None:
    """Return how long it waited: by the provider's clock, else by one emitter's, never across two clocks."""
    if record.waiting is not None and record.started is not None:
        return _seconds(record.waiting[0], record.started[0])
    return _between(record.queued or record.created, record.running)


def dwell_seconds(record: JobRecord, status: str) -> float | None:
    """Return how long an ended job was in a status, within one clock; None where that is not known."""
    end = (record.end, _digest(record.news[1]))
    if status == "created":
        return _between(record.created, record.queued or record.running or end)
    if status == "queued":
        if record.waiting is not None and record.started is not None:
            return _seconds(record.waiting[0], record.started[0])
        return _between(record.queued, record.running or end)
    if record.started is not None and record.finished is not None:
        return _seconds(record.started[0], record.finished[0])
    return _between(record.running, end)


def _between(first: tuple[int, int] | None, second: tuple[int, int] | None) -> float | None:
    if first is None or second is None or first[1] != second[1]:
        return None
    return _seconds(first[0], second[0])


def _seconds(start: int, end: int) -> float | None:
    return (end - start) / SECOND if end >= start else None
