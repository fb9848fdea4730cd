"""From records to rows: the consumer that keeps the views beside the log.

A batch is one transaction: rows, points, remembered sources and the position. A record that cannot be shown is
passed over, counted by the follower; the rest of its batch is kept.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from qml_daemon.follow import PassedOverError, Place
from qml_daemon.views.backends import BackendRow
from qml_daemon.views.curves import Curves
from qml_daemon.views.findings import FindingRow
from qml_daemon.views.jobs import JobRow
from qml_daemon.views.retention import Pruning
from qml_daemon.views.runs import SILENT, RunRow, shift
from qml_daemon.views.schema import BACKENDS, FINDINGS, JOBS, RUNS
from qml_daemon.views.shelf import Shelf
from qml_daemon.views.sources import SeenSources
from qml_daemon.views.store import ViewStore
from quantum_mlops.events import (
    CalibrationSnapshot,
    Event,
    FindingChanged,
    Job,
    MetricLogged,
    RunEnded,
    RunStarted,
    ShotsMeasured,
    SummaryMade,
    type_name,
)
from quantum_mlops.transports.base import Record, Stream
from quantum_mlops.transports.schema import log_error

OnChange = Callable[[str, Sequence[Struct]], None]
_CANARY, _RUN_SUMMARY = type_name("canary.measured"), type_name("summary.run")


def no_listener(kind: str, rows: Sequence[Struct]) -> None:
    """Tell nobody."""


class Projector:
    """Takes the follower's records. `take` from one thread.

    Args:
        store: the file.
        retention_ns: rows that did not change for longer are removed, open findings apart.
        on_change: told after each commit of "run", "job" and "finding" rows that are new or whose state changed.

    """

    def __init__(self, store: ViewStore, retention_ns: int, on_change: OnChange = no_listener) -> None:
        self._store = store
        self._on_change = on_change
        connection = store.connection
        self._runs: Shelf[RunRow] = Shelf(connection, RUNS, RunRow)
        self._jobs: Shelf[JobRow] = Shelf(connection, JOBS, JobRow)
        self._backends: Shelf[BackendRow] = Shelf(connection, BACKENDS, BackendRow)
        self._curves = Curves(connection)
        self._findings: Shelf[FindingRow] = Shelf(connection, FINDINGS, FindingRow)
        self._sources = SeenSources(connection)
        self._pruning = Pruning(connection, retention_ns)
        self._told: list[FindingRow] = []
        self._ill: list[str] = []
        self._takers: dict[type[Struct], Callable[[Event, Any, int], None]] = {
            MetricLogged: self._take_metric,
            Job: self._take_job,
            ShotsMeasured: self._take_shots,
            CalibrationSnapshot: self._take_calibration,
        }

    def take(self, stream: Stream, partition: int, records: Sequence[Record]) -> None:
        """Show the records and remember the place after them, in one transaction.

        Raises:
            LogError: the file failed; nothing of these records is stored, take them again.
            PassedOverError: some records cannot be shown; the others are.

        """
        place = (stream, partition)
        self._ill.clear()
        try:
            with self._store.transaction({place: records[-1].offset + 1}):
                changes = self._show(place, records)
        except BaseException:
            self._forget()
            raise
        for kind, rows in changes:
            if rows:
                self._on_change(kind, rows)
        if self._ill:
            raise PassedOverError(len(self._ill), self._ill[0])

    def _show(self, place: Place, records: Sequence[Record]) -> list[tuple[str, Sequence[Struct]]]:
        stream = place[0]
        show = self._show_event if stream is Stream.EVENTS else self._show_derived
        for record in records:
            event = record.event
            if event.__class__ is not Event:
                continue
            try:
                show(event, record, place[1])
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - one record must not hide those after it; told to the follower
                self._ill.append(f"a {event.type} cannot be shown: {type(error).__name__}: {error}")
        return self._flush(records[-1].ingestedtime)

    def _flush(self, now: int) -> list[tuple[str, Sequence[Struct]]]:
        runs, jobs = self._runs.flush(), self._jobs.flush()
        self._backends.flush()
        self._curves.flush()
        self._findings.flush()
        self._sources.flush(now)
        told, self._told = self._told, []
        if self._pruning.step(now):
            self._forget_rows()
        return [("run", runs), ("job", jobs), ("finding", told)]

    def _forget(self) -> None:
        """After a failed transaction memory may be ahead of the file: read it again."""
        self._told.clear()
        try:
            self._forget_rows()
            self._sources.load()
            self._pruning.recount()
        except sqlite3.Error as error:
            raise log_error(error, self._store.path) from error

    def _forget_rows(self) -> None:
        for shelf in (self._runs, self._jobs, self._backends, self._curves, self._findings):
            shelf.forget()

    def _show_event(self, event: Event, record: Record, partition: int) -> None:  # noqa: ARG002 - as _show_derived
        data, now = event.data, record.ingestedtime
        kind = data.__class__
        take = self._takers.get(kind)
        runid = event.context.runid
        if (take is None and not runid) or not self._sources.is_new(event, now):
            return
        if runid:
            run = self._run(event.project, runid, now)
            run.touch(event)
            if kind is RunStarted:
                run.start(event, data)  # type: ignore[arg-type]  # just looked at
            elif kind is RunEnded:
                run.end(event, data)  # type: ignore[arg-type]  # just looked at
        if take is not None:
            take(event, data, now)

    def _show_derived(self, event: Event, record: Record, partition: int) -> None:
        data = event.data
        if data.__class__ is FindingChanged:
            self._take_finding(event, data, partition, record)
        elif data.__class__ is SummaryMade and event.type == _RUN_SUMMARY:
            labels = data.labels
            run = self._runs.find((event.project, labels.get("run", "")))
            if run is not None and labels.get("status") == SILENT:
                run.silent_at = event.time

    def _run(self, project: str, run_id: str, now: int) -> RunRow:
        key = (project, run_id)
        run = self._runs.find(key)
        if run is None:
            run = self._runs.add(key, RunRow(project, run_id, now, now))
        run.changed = now
        return run

    def _backend(self, project: str, name: str, now: int) -> BackendRow:
        key = (project, name)
        backend = self._backends.find(key)
        if backend is None:
            backend = self._backends.add(key, BackendRow(project, name, now, now))
        backend.changed = now
        return backend

    def _take_job(self, event: Event, data: Job, now: int) -> None:
        project = event.project
        key = (project, data.job_id)
        job = self._jobs.find(key)
        if job is None:
            job = self._jobs.add(key, JobRow(project, data.job_id, now, now))
        run_before, backend_before, before = job.columns
        job.apply(event, data)
        job.changed = now
        run, backend, after = job.columns
        if (run, after) != (run_before, before):
            if run_before:
                shift(self._run(project, run_before, now).jobs, before, None)
            if run:
                shift(self._run(project, run, now).jobs, None, after)
        if backend:
            row = self._backend(project, backend, now)
            row.take_job(event, data)
            if (backend, after) != (backend_before, before):
                if backend_before:
                    shift(self._backend(project, backend_before, now).jobs, before, None)
                shift(row.jobs, None, after)

    def _take_shots(self, event: Event, data: ShotsMeasured, now: int) -> None:
        if event.type == _CANARY and data.backend:
            self._backend(event.project, data.backend, now).take_canary(event, data, now)

    def _take_calibration(self, event: Event, data: CalibrationSnapshot, now: int) -> None:
        self._backend(event.project, data.backend, now).take_calibration(event, data)

    def _take_metric(self, event: Event, data: MetricLogged, now: int) -> None:
        run_id = event.context.runid
        if run_id:
            self._curves.take(event, data, self._run(event.project, run_id, now), now)

    def _take_finding(self, event: Event, data: FindingChanged, partition: int, record: Record) -> None:
        key = (event.project, data.finding_id)
        row = self._findings.find(key)
        if row is None:
            now = record.ingestedtime
            row = FindingRow(event.project, data.finding_id, now, now, partition, record.offset)
            self._findings.add(key, row)
        row.apply(event, data, partition, record.offset)
        row.changed = record.ingestedtime
        self._told.append(row)
