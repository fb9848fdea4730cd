"""The jobs of one series: those that go on, and the newest that ended, so that each is counted once.

Bounded: of more than `OPEN_KEPT` jobs that go on the 16 longest without news are given up (`overflow`). Of more than
`ENDED_KEPT` ended jobs the one that ended first leaves for good; a job first heard of that ended no later than the last
one that left is passed over (`too_late`), since it may have been counted.
"""

from msgspec import Struct, field

from qml_processors.lifecycle.record import JobRecord, dwell_seconds, merge
from quantum_mlops.events import Event, Job
from quantum_mlops.events.job_status import job_status

OPEN_KEPT = 128
GIVEN_UP_AT_ONCE = 16
ENDED_KEPT = 32
SAMPLES_KEPT = 192
SOURCES_KEPT = 64
WATCHED = ("created", "queued", "running")


class Table(Struct, gc=False):
    """The jobs of one series.

    Attributes:
        open, ended: Records by job id, the ended ones in the order of (end, job).
        horizon: (end, job) of the last ended job that left.
        overflow, too_late: Jobs that were given up for want of room; events of jobs no later than the horizon.
        samples: The seconds that the jobs which left spent in each status, newest last.
        look, look_for: When the log's clock next decides something about an open job, or earlier, and under which
            rules; None: to be found out.
        live: Source to the log's time of its first live event: absence is judged for these alone, from then on.

    """

    open: dict[str, JobRecord] = field(default_factory=dict)
    ended: dict[str, JobRecord] = field(default_factory=dict)
    horizon: tuple[int, str] | None = None
    overflow: int = 0
    too_late: int = 0
    samples: dict[str, list[float]] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    look: int | None = None
    look_for: str = ""


class Change(Struct, frozen=True, gc=False):
    """What one event did: the job before and after it, and the job that left for good, if one did."""

    job: str
    before: JobRecord | None
    after: JobRecord
    left: JobRecord | None = None


def take(table: Table, event: Event, data: Job) -> Change | None:
    """Merge one event; None where it is of a job that is not, or no longer, counted."""
    job = data.job_id
    known = table.open.get(job)
    if known is None:
        known = table.ended.get(job)
    if known is None and job_status(event.type) is None:
        return None
    before = None if known is None else known.__copy__()  # type: ignore[attr-defined] # copy.copy takes longer
    record = JobRecord() if known is None else known
    merge(record, event, data)
    if not record.ended:
        table.open[job] = record
        if len(table.open) > OPEN_KEPT:
            _give_up_oldest(table)
        return Change(job, before, record)
    table.open.pop(job, None)
    if job not in table.ended and table.horizon is not None and (record.end, job) <= table.horizon:
        table.too_late += 1
        return None
    _place(table, job, record)
    left = _retire(table) if len(table.ended) > ENDED_KEPT else None
    return Change(job, before, record, left)


def note_live(table: Table, source: str, now: int) -> None:
    """Remember that the source was heard of live; of more than 64 the one known longest begins anew.

    Its jobs may be looked at from now on, so the next look is found out again.
    """
    live = table.live
    if source in live:
        return
    live[source] = now
    table.look = None
    if len(live) > SOURCES_KEPT:
        del live[min(live, key=lambda name: (live[name], name))]
    table.live = dict(sorted(live.items()))  # by name: the order of arrival is no part of the state


def ordered(table: Table) -> list[JobRecord]:
    """Return the ended jobs that are kept, by (end, job)."""
    return list(table.ended.values())


def is_last(table: Table, record: JobRecord) -> bool:
    """Tell whether of the ended jobs that are kept this is the last."""
    return next(reversed(table.ended.values()), None) is record


def dwells(table: Table, status: str) -> list[float]:
    """Return the known seconds that ended jobs spent in a status, in no order."""
    values = list(table.samples.get(status, ()))
    values += [value for record in table.ended.values() if (value := dwell_seconds(record, status)) is not None]
    return values


def _place(table: Table, job: str, record: JobRecord) -> None:
    """Keep an ended job in its place, which is mostly the last."""
    ended = table.ended
    last = next(reversed(ended), None)
    is_new = job not in ended
    ended[job] = record
    if last is not None and not (is_new and (ended[last].end, last) < (record.end, job)):
        table.ended = dict(sorted(ended.items(), key=lambda pair: (pair[1].end, pair[0])))


def _give_up_oldest(table: Table) -> None:
    found = table.open
    oldest = sorted([(record.since, job) for job, record in found.items()])[:GIVEN_UP_AT_ONCE]
    for _, job in oldest:
        del found[job]
    table.overflow += len(oldest)


def _retire(table: Table) -> JobRecord:
    ended = table.ended
    job = next(iter(ended))
    record = ended.pop(job)
    table.horizon = max((record.end, job), table.horizon or (record.end, job))
    for status in WATCHED:
        value = dwell_seconds(record, status)
        if value is not None:
            values = table.samples.setdefault(status, [])
            values.append(value)
            if len(values) > SAMPLES_KEPT:
                del values[0]
    return record
