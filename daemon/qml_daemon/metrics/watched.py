"""What is watched, as metrics: a consumer of the log, shown every record by the follower.

Counters begin with the daemon: a counter that took in the whole log again at each start would look to
Prometheus like a burst. So events are taken from the log's end on, as of the start; findings from the
beginning, since those that are open matter, but only new ones count in the totals.
"""

import threading
from collections.abc import Mapping, Sequence

from qml_daemon.metrics.bounds import Bounds
from qml_daemon.metrics.catalogue import WATCHED
from qml_daemon.metrics.findings import FindingBook
from qml_daemon.metrics.jobs import JobBook
from qml_daemon.metrics.runs import RunBook
from qml_daemon.metrics.tally import Figure, Tally
from quantum_mlops.clock import SECOND, Clock
from quantum_mlops.events import CalibrationSnapshot, EmitterDropped, Event, FindingChanged, Job, short_name
from quantum_mlops.transports.base import Record, Stream

_RECEIVED, _MEASURED = "qml_calibration_received_timestamp_seconds", "qml_calibration_measured_timestamp_seconds"


class Watched:
    """Takes records in the follower's thread, gives figures in that of the HTTP service.

    Args:
        clock: nanoseconds UTC.
        starts: the offset of each partition's findings from which they are new; the others were there before.
        bounds: of the labels.

    """

    def __init__(self, clock: Clock, starts: Mapping[int, int], bounds: Bounds | None = None) -> None:
        self._clock = clock
        self._starts = starts
        self._bounds = bounds or Bounds()
        self._tally = Tally(WATCHED, self._bounds)
        self._jobs = JobBook(self._tally)
        self._runs = RunBook(self._tally)
        self._findings = FindingBook(self._tally)
        self._calibrations: dict[tuple[str, tuple[str, ...]], float] = {}
        self._lock = threading.Lock()

    def take(self, stream: Stream, partition: int, records: Sequence[Record]) -> None:
        """Count a batch. Blocks a scrape for its time (below a millisecond per hundred records); never raises."""
        with self._lock:
            for record in records:
                event = record.event
                if not isinstance(event, Event):
                    continue
                if stream is Stream.EVENTS:
                    self._take_event(event, record.ingestedtime)
                elif stream is Stream.FINDINGS and isinstance(event.data, FindingChanged):
                    counted = record.offset >= self._starts.get(partition, 0)
                    self._findings.take(event, event.data, counted=counted)

    def figures(self) -> list[Figure]:
        """Return all figures of this moment. Thread-safe."""
        with self._lock:
            found = [
                *self._tally.figures(),
                *self._runs.figures(self._clock()),
                *self._findings.figures(),
                *(Figure(name, labels, value) for (name, labels), value in self._calibrations.items()),
            ]
            found += [
                Figure("qml_metrics_overflow_total", (label,), number)
                for label, number in self._bounds.overflow.items()
            ]
        return found

    def _take_event(self, event: Event, ingestedtime: int) -> None:
        self._tally.add("qml_events_total", short_name(event.type))
        self._runs.take(event, ingestedtime)
        data = event.data
        if isinstance(data, Job):
            self._jobs.take(event, data)
        elif isinstance(data, EmitterDropped):
            for reason, number in data.reasons.items():
                self._tally.add("qml_emitter_dropped_events_total", reason, amount=number)
        elif isinstance(data, CalibrationSnapshot):
            self._date(_RECEIVED, data.backend, ingestedtime / SECOND)
            times = [time for column in data.columns for time in column.times if time is not None]
            if times:
                self._date(_MEASURED, data.backend, max(times))

    def _date(self, name: str, backend: str, seconds: float) -> None:
        key = (name, self._tally.fit(name, backend))
        self._calibrations[key] = max(seconds, self._calibrations.get(key, seconds))
