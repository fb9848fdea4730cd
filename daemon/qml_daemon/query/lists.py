"""The lists there are, and how one page and one thing of each is answered.

Everything here reads; it runs in threads of the pool, never on the event loop.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from qml_daemon.alert import Alert as Held
from qml_daemon.http.problem import Problem
from qml_daemon.query import parameters, resources, shown
from qml_daemon.query.cursor import Cursor, read_cursor, write_cursor
from qml_daemon.query.parameters import read_time
from qml_daemon.views.backends import BackendRow
from qml_daemon.views.findings import FindingRow
from qml_daemon.views.jobs import JobRow
from qml_daemon.views.reader import Place, ViewReader, Window
from qml_daemon.views.runs import RunRow
from qml_daemon.views.schema import BACKENDS, FINDINGS, JOBS, RUNS, SERIES, Table
from qml_daemon.views.series import SeriesRow
from quantum_mlops.events import Event, FindingChanged
from quantum_mlops.transports.base import Record, Stream

OPEN = "firing"


class Page(Struct, kw_only=True):
    """One page of a list; `next` is the cursor of the page after it, null on the last one."""

    items: list[Any]
    next: str | None = None


class Listing(Struct, frozen=True, kw_only=True):
    """A list from the views: its name in the path, what can be asked, and how a row is shown."""

    name: str
    table: Table
    query: type[Struct]
    item: type[Struct]
    row: type[Struct]
    show: Callable[[Any], Struct]

    @property
    def filters(self) -> tuple[str, ...]:
        """The parameters that are columns."""
        return ("project", *self.table.columns)


LISTINGS = (
    Listing(name="runs", table=RUNS, query=parameters.RunQuery, item=resources.Run, row=RunRow, show=shown.show_run),
    Listing(name="jobs", table=JOBS, query=parameters.JobQuery, item=resources.Job, row=JobRow, show=shown.show_job),
    Listing(
        name="findings",
        table=FINDINGS,
        query=parameters.FindingQuery,
        item=resources.Finding,
        row=FindingRow,
        show=shown.show_finding,
    ),
    Listing(
        name="series",
        table=SERIES,
        query=parameters.SeriesQuery,
        item=resources.Series,
        row=SeriesRow,
        show=shown.show_series,
    ),
    Listing(
        name="backends",
        table=BACKENDS,
        query=parameters.BackendQuery,
        item=resources.Backend,
        row=BackendRow,
        show=shown.show_backend,
    ),
)


class FindingLog(Protocol):
    """Where a finding's bundle lies."""

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> "list[Record] | Any":
        """See `Log.read`."""
        ...


class Sources(Struct, frozen=True, kw_only=True):
    """What the answers are read from: the views, the log, and the dispatcher's alerts."""

    views: ViewReader
    log: FindingLog
    alerts: Callable[[], list[Held]] = field(default=list)


def answer_page(sources: Sources, listing: Listing, query: Any) -> Page:
    """Return one page of a list. `query.project` is already what the token may see.

    Raises:
        Problem: a parameter is wrong. LogError: the views cannot be read.

    """
    filters = {name: value for name in listing.filters if (value := getattr(query, name, None)) is not None}
    is_open = getattr(query, "open", None)
    if is_open and filters.setdefault("status", OPEN) != OPEN:
        return Page(items=[])
    birth = sources.views.birth
    place = None
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, listing.name, birth)
        place = Place(cursor.order, cursor.key if isinstance(cursor.key, int) else 0)
    window = Window(
        since=read_time("since", query.since),
        until=read_time("until", query.until),
        place=place,
        limit=query.limit + 1,
        but_not={"status": OPEN} if is_open is False else {},
    )
    rows = sources.views.page(listing.table, filters, window)
    more, rows = len(rows) > query.limit, rows[: query.limit]
    decode = _DECODERS[listing.name]
    after = write_cursor(Cursor(listing.name, birth, rows[-1][0].seen, rows[-1][0].seq)) if more else None
    return Page(items=[listing.show(decode(body)) for _, body in rows], next=after)


def answer_one(sources: Sources, listing: Listing, name: str, project: str | None) -> Struct:
    """Return one thing, with its points or its bundle.

    Raises:
        Problem: 404 there is none, 409 two projects have it. LogError: the views or the log cannot be read.

    """
    rows = sources.views.find(listing.table, name, project)
    if not rows:
        raise Problem(404, f"{listing.name} has no {name[:200]!r}; it may be too old, or of another project")
    if len(rows) > 1:
        raise Problem(409, "two projects have this id; add ?project=", members={"parameter": "project"})
    seq, body = rows[0]
    row = _DECODERS[listing.name](body)
    item = listing.show(row)
    if isinstance(item, resources.Series):
        item.points = shown.show_points(sources.views.points(seq))
    elif isinstance(item, resources.Finding):
        item.evidence.bundle = _bundle(sources.log, row)
    return item


def answer_alerts(sources: Sources, query: parameters.AlertQuery) -> Page:
    """Return one page of the alerts that the dispatcher holds, the newest first."""
    wanted = {name: value for name in _ALERT_LABELS if (value := getattr(query, name)) is not None}
    found = [alert for alert in sources.alerts() if _fits(alert, wanted, query)]
    found.sort(key=lambda alert: (alert.starts, alert.key), reverse=True)
    birth = sources.views.birth
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, "alerts", birth)
        last = (cursor.order, str(cursor.key))
        found = [alert for alert in found if (alert.starts, alert.key) < last]
    some = found[: query.limit]
    more = len(found) > query.limit
    after = write_cursor(Cursor("alerts", birth, some[-1].starts, some[-1].key)) if more else None
    return Page(items=[shown.show_alert(alert) for alert in some], next=after)


def answer_alert(sources: Sources, key: str, project: str | None) -> Struct:
    """Return one alert.

    Raises:
        Problem: 404, the dispatcher does not hold it (any more).

    """
    for alert in sources.alerts():
        if alert.key == key and (project is None or alert.labels.get("project", "") == project):
            return shown.show_alert(alert)
    raise Problem(404, f"no alert {key[:200]!r} is held; what has ended is among the findings")


_DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    listing.name: msgspec.msgpack.Decoder(listing.row).decode for listing in LISTINGS
}
_ALERT_LABELS = ("project", "run", "backend")


def _fits(alert: Held, wanted: Mapping[str, str], query: parameters.AlertQuery) -> bool:
    if any(alert.labels.get(name, "") != value for name, value in wanted.items()):
        return False
    told = ((query.rule, alert.rule), (query.severity, alert.severity), (query.status, alert.status))
    return all(asked is None or asked == found for asked, found in told)


def _bundle(log: FindingLog, row: FindingRow) -> str | None:
    """Return what reproduces a finding, from the log; None where it has gone or never was."""
    for record in log.read(Stream.FINDINGS, row.partition, row.offset, 1):
        event = record.event
        if record.offset == row.offset and isinstance(event, Event) and isinstance(event.data, FindingChanged):
            return event.data.evidence.bundle if event.data.finding_id == row.finding_id else None
    return None
