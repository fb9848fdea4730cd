"""What the service itself does, as metrics: published by its loop, read by the HTTP thread.

The loop turns its counts into figures and puts them on the board; a scrape reads the board and so never
touches what works. What needs no look at the parts (files, disk) is looked at by the scrape.
"""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from qml_daemon.dispatch.dispatcher import DispatcherStats
from qml_daemon.follow import FollowerStats
from qml_daemon.http.health import Health
from qml_daemon.ingest.door import IngestStats
from qml_daemon.metrics.tally import Figure
from qml_daemon.mqtt.stats import MqttStats
from qml_daemon.status import Status
from qml_processors.runner.counts import PartitionStats
from quantum_mlops.transports.base import Log, Stream
from quantum_mlops.version import __version__


class Board:
    """Holds the figures that the loop published last. `publish` from one thread, `figures` from any."""

    def __init__(self) -> None:
        self._figures: Sequence[Figure] = ()

    def publish(self, figures: Sequence[Figure]) -> None:
        """Put new figures in place of the old ones, which nobody changes any more."""
        self._figures = figures

    def figures(self) -> Sequence[Figure]:
        """Return what was published last; nothing before that."""
        return self._figures


class Files(Struct, frozen=True):
    """The files of the log and their disk, looked at by a scrape. `paths` by the value of the label `file`.

    `limit_bytes` is None where brokers keep the log.
    """

    folder: Path
    paths: dict[str, Path]
    limit_bytes: int | None

    def figures(self) -> list[Figure]:
        """Return sizes; what cannot be looked at is absent."""
        found = [] if self.limit_bytes is None else [Figure("qml_log_limit_bytes", (), self.limit_bytes)]
        for name, path in self.paths.items():
            try:
                found.append(Figure("qml_log_size_bytes", (name,), path.stat().st_size))
            except FileNotFoundError:
                found.append(Figure("qml_log_size_bytes", (name,), 0))
            except OSError:
                continue
        try:
            disk = os.statvfs(self.folder)
        except OSError:
            return found
        found.append(Figure("qml_disk_free_bytes", (), disk.f_bavail * disk.f_frsize))
        found.append(Figure("qml_disk_size_bytes", (), disk.f_blocks * disk.f_frsize))
        return found


def describe_health(health: Health) -> list[Figure]:
    """Return what is true of the loop at this moment, even while it hangs or its log refuses. From any thread."""
    return [
        Figure("qml_loop_silence_seconds", (), health.silence_seconds()),
        Figure("qml_log_failing", (), health.fault is not None),
    ]


def describe_log(log: Log) -> list[Figure]:
    """Return how much the log holds; from the loop's thread.

    Raises:
        LogError: the log cannot be read.

    """
    return [
        Figure(
            "qml_log_records",
            (stream.value,),
            sum(log.end(stream, number) - log.start(stream, number) for number in range(log.partitions)),
        )
        for stream in Stream
    ]


def describe_follower(stats: FollowerStats) -> list[Figure]:
    """Return how far those who follow the log are behind, and what they failed on."""
    found = []
    for name, one in stats.consumers.items():
        found.append(Figure("qml_follower_lag_records", (name,), one.behind))
        found.append(Figure("qml_follower_failures_total", (name,), one.failures))
    return found


def describe_status(status: Status, processors: Sequence[str]) -> list[Figure]:
    """Return the figures of a status: all numbers, copied. Counters are there from the first time on, at 0."""
    intake = status.intake
    return [
        Figure("qml_build_info", (__version__, platform.python_version()), 1),
        Figure("qml_log_errors_total", (), status.log_errors),
        Figure("qml_retention_removed_records_total", (), status.records_removed),
        Figure("qml_retention_unread_records_total", (), status.unread_removed),
        Figure("qml_intake_events_total", (), intake.events),
        Figure("qml_intake_lag_bytes", (), intake.lag_bytes),
        Figure("qml_intake_segments", (), intake.segments),
        Figure("qml_intake_unreadable", (), intake.fault is not None),
        Figure("qml_dead_letters_total", ("intake",), intake.dead_letters),
        *(() if status.runner is None else describe_runner(status.runner.partitions, processors)),
        *_describe_dispatcher(status.dispatcher),
        *(() if status.ingest is None else _describe_ingest(status.ingest)),
        *(() if status.mqtt is None else _describe_mqtt(status.mqtt)),
    ]


def describe_runner(partitions: Sequence[PartitionStats], processors: Sequence[str]) -> Iterator[Figure]:
    """Yield what a runner counted, by partition and in all."""
    for one in partitions:
        labels = (str(one.partition),)
        yield Figure("qml_runner_lag_records", labels, one.lag)
        yield Figure("qml_runner_given_up", labels, one.given_up is not None)
        yield Figure("qml_runner_series", labels, one.series)
        yield Figure("qml_runner_dirty_series", labels, one.dirty)
        yield Figure("qml_runner_timers", labels, one.timers)
        yield Figure("qml_runner_open_findings", labels, one.open_findings)
        yield Figure("qml_runner_recovery_seconds", labels, one.recovery_seconds)
    counts = [one.counts for one in partitions]
    yield Figure("qml_dead_letters_total", ("runner",), sum(one.dead_letters for one in counts))
    yield Figure("qml_runner_events_total", (), sum(one.events for one in counts))
    yield Figure("qml_runner_duplicates_total", (), sum(one.duplicates for one in counts))
    yield Figure("qml_runner_unknown_total", (), sum(one.unknown for one in counts))
    yield Figure("qml_runner_batches_total", (), sum(one.batches for one in counts))
    yield Figure("qml_runner_timers_fired_total", (), sum(one.timers for one in counts))
    for name in processors:
        yield Figure("qml_runner_errors_total", (name,), sum(one.processor_errors.get(name, 0) for one in counts))


def _describe_ingest(stats: IngestStats) -> Iterator[Figure]:
    yield Figure("qml_ingest_requests_total", (), stats.requests)
    yield Figure("qml_ingest_events_total", (), stats.accepted)
    yield Figure("qml_ingest_waiting_events", (), stats.waiting)
    for code, number in stats.rejected.items():
        yield Figure("qml_ingest_rejected_total", (code,), number)
    for code, number in stats.refused.items():
        yield Figure("qml_ingest_refused_total", (code,), number)


def _describe_mqtt(stats: MqttStats) -> Iterator[Figure]:
    yield Figure("qml_mqtt_connected", (), stats.connected)
    yield Figure("qml_mqtt_connections_total", (), stats.connections)
    yield Figure("qml_mqtt_sessions_lost_total", (), stats.sessions_lost)
    yield Figure("qml_mqtt_messages_total", (), stats.messages)
    yield Figure("qml_mqtt_events_total", (), stats.events)
    yield Figure("qml_mqtt_dropped_total", (), stats.dropped)
    yield Figure("qml_mqtt_waiting_messages", (), stats.waiting)
    yield Figure("qml_dead_letters_total", ("mqtt",), sum(stats.rejected.values()))
    for code, number in stats.rejected.items():
        yield Figure("qml_mqtt_rejected_total", (code,), number)


def _describe_dispatcher(stats: DispatcherStats) -> Iterator[Figure]:
    yield Figure("qml_alerts", (), stats.alerts)
    yield Figure("qml_alert_groups", (), stats.groups)
    yield Figure("qml_notifications_waiting", (), stats.outbox.waiting)
    for kind, outcomes in stats.outbox.kinds.items():
        for outcome, number in outcomes.items():
            yield Figure("qml_deliveries_total", (kind, outcome), number)
