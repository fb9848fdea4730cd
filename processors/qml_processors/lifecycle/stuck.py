"""JobStuck: of a job that goes on, no further status was received for longer than its limit.

Absence is measured by the log's clock from when the status was received, and only from the first live event of the
source on. A learned limit is `margin` times the upper 95 % confidence bound of the 95 % quantile of the time that
earlier jobs spent in the status (an order statistic: it assumes no shape, only that jobs resemble each other). The
margin goes beyond what so few jobs can bound: it is chosen, not derived.
"""

from functools import lru_cache
from typing import NamedTuple

from qml_processors.lifecycle.record import JobRecord
from qml_processors.lifecycle.table import WATCHED, Table, dwells
from quantum_mlops.clock import SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules.lifecycle import StuckRule
from quantum_mlops.stats.order_statistics import quantile_rank

QUANTILE = 0.95
CONFIDENCE = 0.95


class Limit(NamedTuple):
    """A limit in nanoseconds, and how it came about: from `jobs` earlier ones with the bound `usual` (seconds)."""

    length: int
    kind: str
    jobs: int = 0
    usual: float | None = None


def limit_of(table: Table, status: str, rule: StuckRule) -> Limit:
    """Return the limit of a status: the user's own, else learned, else the cap."""
    fixed = _fixed(rule, status)
    if fixed is not None:
        return Limit(fixed, "configured")
    values = sorted(dwells(table, status))
    rank = quantile_rank(len(values), QUANTILE, CONFIDENCE)
    if rank is None:
        return Limit(_cap(rule, status), "cap", len(values))
    usual = values[rank - 1]
    return Limit(max(parse_duration(rule.least), round(rule.margin * usual * SECOND)), "learned", len(values), usual)


def arm(record: JobRecord, rule: StuckRule) -> None:
    """Set when to look at a job whose status is new: no limit can be shorter."""
    if record.due is None and not record.stuck and (status := record.status) in WATCHED:
        record.due = record.since + min(parse_duration(rule.least), _cap(rule, status))


def next_look(table: Table, rule: StuckRule, *, enabled: bool) -> int | None:
    """Return when the log's clock next decides something about a job that goes on, or earlier; None: never."""
    if not table.open:
        return None
    look = table.look
    if look is not None and table.look_for == rules_of(rule, enabled=enabled):
        return look
    return min(_next(table, record, rule, enabled=enabled) for record in table.open.values())


def note_look(table: Table, rule: StuckRule, record: JobRecord | None, *, enabled: bool) -> None:
    """Keep `next_look` cheap: remember its answer, lowered by the job that changed; None: look at all jobs.

    A job that ends leaves it too early, which costs a look that finds nothing.
    """
    known = rules_of(rule, enabled=enabled)
    if record is None or table.look is None or table.look_for != known:
        table.look = None
        table.look = next_look(table, rule, enabled=enabled)
        table.look_for = known
    elif not record.ended:
        table.look = min(table.look, _next(table, record, rule, enabled=enabled))


def rules_of(rule: StuckRule, *, enabled: bool) -> str:
    """Return what of the rule `next_look` depends on, as text."""
    return _rules_text(enabled, rule.give_up, rule.created, rule.queued, rule.running)


@lru_cache(maxsize=64)
def _rules_text(enabled: bool, *durations: str | None) -> str:  # noqa: FBT001 - a cache knows places, not names
    return " ".join((f"{enabled:d}", *map(str, durations)))


def _next(table: Table, record: JobRecord, rule: StuckRule, *, enabled: bool) -> int:
    moment = record.since + parse_duration(rule.give_up)
    if enabled and not record.stuck and record.due is not None and record.news[1] in table.live:
        return min(moment, _moment(table, record, rule))
    return moment


def look(table: Table, due: int, rule: StuckRule, *, enabled: bool) -> dict[str, Limit]:
    """Mark the jobs that are over their limits, drop those given up; returns the limits of statuses with new ones."""
    give_up = parse_duration(rule.give_up)
    limits: dict[str, Limit] = {}
    found: dict[str, Limit] = {}
    for job, record in list(table.open.items()):
        if record.since + give_up <= due:
            del table.open[job]
            continue
        if not enabled or record.stuck or record.due is None or record.news[1] not in table.live:
            continue
        if _moment(table, record, rule) > due:
            continue
        status = record.status
        limit = limits.get(status)
        if limit is None:
            limit = limits[status] = limit_of(table, status, rule)
        over = _begin(table, record) + limit.length
        if over <= due:
            record.stuck = True
            found[status] = limit
        else:
            record.due = over
    return found


def stuck_jobs(table: Table, status: str) -> list[tuple[str, JobRecord]]:
    """Return the jobs that the finding of a status counts, longest without news first."""
    found = [(job, record) for job, record in table.open.items() if record.stuck and record.status == status]
    return sorted(found, key=lambda pair: (pair[1].since, pair[0]))


def release(table: Table, rule: StuckRule) -> None:
    """Count no job as stuck any more, and look again should the rule come back."""
    for record in table.open.values():
        if record.stuck:
            record.stuck, record.due = False, None
            arm(record, rule)


def _begin(table: Table, record: JobRecord) -> int:
    """Return when the absence begins: not before the source is heard of live."""
    return max(record.since, table.live[record.news[1]])


def _moment(table: Table, record: JobRecord, rule: StuckRule) -> int:
    fixed = _fixed(rule, record.status)
    return _begin(table, record) + fixed if fixed is not None else record.due or 0


def _fixed(rule: StuckRule, status: str) -> int | None:
    text = rule.created if status == "created" else rule.queued if status == "queued" else rule.running
    return None if text is None else parse_duration(text)


def _cap(rule: StuckRule, status: str) -> int:
    text = rule.cap_created if status == "created" else rule.cap_queued if status == "queued" else rule.cap_running
    return parse_duration(text)
