"""The series and their points while the projector works on them."""

import sqlite3

from qml_daemon.views.runs import METRICS_KEPT, RunRow
from qml_daemon.views.schema import SERIES
from qml_daemon.views.series import SeriesRow, series_id
from qml_daemon.views.shelf import Shelf
from quantum_mlops.events import Event, MetricLogged

GRADIENT = "qml.gradient."
"""Before the names of a gradient's figures, as in MLflow."""


class Curves:
    """All series. One thread at a time; `flush` inside the transaction of a batch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: Shelf[SeriesRow] = Shelf(connection, SERIES, SeriesRow)
        self._points: list[tuple[int, int, int, int | None, float]] = []
        self._thinned: dict[int, int] = {}

    def take(self, event: Event, data: MetricLogged, run: RunRow, now: int) -> None:
        """Add each value to its series of this run; names over the run's bound are counted there."""
        step = event.context.step
        for name, value in data.values.items():
            self._add(run, name, value, event.time, step, now)
        if data.gradient is not None:
            for name, found in (("norm", data.gradient.norm), ("variance", data.gradient.variance)):
                if found is not None:
                    self._add(run, GRADIENT + name, found, event.time, step, now)
        for name, text in data.nonfinite.items():
            series = self._find(run, name, now)
            if series is not None:
                series.nonfinite += 1
                series.last_nonfinite = text

    def flush(self) -> None:
        """Write series and points, and thin out those that are full."""
        self._series.flush()
        if self._points:
            self._connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", self._points)
            self._points.clear()
        if self._thinned:
            rows = list(self._thinned.items())
            self._connection.executemany("DELETE FROM points WHERE series = ? AND number % ? != 0", rows)
            self._thinned.clear()

    def forget(self) -> None:
        """Drop what is in memory: the transaction failed, or rows were removed."""
        self._points.clear()
        self._thinned.clear()
        self._series.forget()

    def _add(self, run: RunRow, name: str, value: float, time: int, step: int | None, now: int) -> None:
        series = self._find(run, name, now)
        if series is None:
            return
        number = series.add(value, time, step)
        if number is not None:
            seq = self._series.seq((run.project, series_id(run.run_id, name)))
            self._points.append((seq, number, time, step, value))
            if series.is_full():
                self._thinned[seq] = series.thin()

    def _find(self, run: RunRow, name: str, now: int) -> SeriesRow | None:
        key = (run.project, series_id(run.run_id, name))
        series = self._series.find(key)
        if series is None:
            if run.metrics >= METRICS_KEPT:
                run.metrics_not_kept += 1
                return None
            run.metrics += 1
            series = self._series.add(key, SeriesRow(run.project, run.run_id, name, now, now))
        series.changed = now
        return series
