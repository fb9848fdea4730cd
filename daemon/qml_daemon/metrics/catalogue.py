"""Every metric of ours in one list: name, kind, labels, what it counts.

Names are `qml_<noun>_<unit>[_total]` in base units. Labels are bounded (`bounds`) and never a run, a job, a
qubit, a circuit or text of a user: those are in the log, where the API and the command line find them.

Source: Prometheus documentation, "Metric and label naming".
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]
Group = Literal["jobs", "runs", "findings", "calibrations", "events", "log", "runner", "notifications", "service"]
Labels = tuple[str, ...]

QUEUE_BUCKETS = (1.0, 10.0, 60.0, 600.0, 3600.0, 14400.0, 86400.0)
EXECUTION_BUCKETS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)


class Metric(Struct, frozen=True, kw_only=True):
    """One metric. `unit` is what one of it is, for axes; `buckets` are upper bounds without +Inf."""

    name: str
    kind: Kind
    group: Group
    help: str
    unit: str = ""
    labels: Labels = ()
    buckets: tuple[float, ...] = ()


def _counter(group: Group, name: str, text: str, labels: Labels = (), unit: str = "") -> Metric:
    return Metric(name=name, kind="counter", group=group, help=text, labels=labels, unit=unit)


def _gauge(group: Group, name: str, text: str, labels: Labels = (), unit: str = "") -> Metric:
    return Metric(name=name, kind="gauge", group=group, help=text, labels=labels, unit=unit)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(
        name=name, kind="histogram", group="jobs", help=text, labels=("backend",), unit="seconds", buckets=buckets
    )


_JOB = ("backend", "provider", "project")

WATCHED: tuple[Metric, ...] = (
    _counter("jobs", "qml_jobs_total", "Jobs by status reached, each job once a status.", (*_JOB, "status")),
    _counter("jobs", "qml_job_shots_total", "Shots of completed jobs, where the emitter knows them.", _JOB),
    _counter("jobs", "qml_job_executions_total", "Circuit executions of completed jobs, where known.", _JOB),
    _counter(
        "jobs",
        "qml_job_cost_total",
        "Final cost of jobs in units of the currency, where known; a bill lowered later is not taken off.",
        (*_JOB, "currency"),
    ),
    _counter(
        "jobs", "qml_job_qpu_seconds_total", "Seconds on the device that providers told of jobs, where known.", _JOB
    ),
    _histogram(
        "qml_job_queue_seconds",
        "From queued (or created) to started, by the provider's clock where it tells them, else as it was seen.",
        QUEUE_BUCKETS,
    ),
    _histogram("qml_job_execution_seconds", "From started to ended, by the provider's clock.", EXECUTION_BUCKETS),
    _histogram("qml_job_duration_seconds", "From submission to result, by the emitter's clock.", EXECUTION_BUCKETS),
    _gauge("runs", "qml_runs_active", "Runs heard of in the last 5 minutes that have not ended.", ("project",)),
    _counter("runs", "qml_runs_ended_total", "Runs that ended, by status.", ("project", "status")),
    _gauge("findings", "qml_findings_open", "Findings open now.", ("rule", "severity")),
    _counter("findings", "qml_findings_total", "Findings opened, and notices.", ("rule", "severity")),
    _gauge(
        "findings",
        "qml_drift_hellinger_distance",
        "Greatest estimated Hellinger distance of a canary from its reference, over the open findings.",
        ("backend",),
    ),
    _gauge(
        "calibrations",
        "qml_calibration_received_timestamp_seconds",
        "When the newest calibration was received, Unix time.",
        ("backend",),
        "timestamp",
    ),
    _gauge(
        "calibrations",
        "qml_calibration_measured_timestamp_seconds",
        "Newest measurement in the newest calibration, by the provider's clock, Unix time.",
        ("backend",),
        "timestamp",
    ),
    _counter("events", "qml_events_total", "Events received, by type; what came twice counts twice.", ("type",)),
    _counter(
        "events", "qml_emitter_dropped_events_total", "Events that emitters lost and said so, by reason.", ("reason",)
    ),
    _counter(
        "service", "qml_metrics_overflow_total", "Observations counted under `other`: too many values.", ("label",)
    ),
)

SERVICE: tuple[Metric, ...] = (
    _gauge("service", "qml_build_info", "1; the version is in the labels.", ("version", "python")),
    _gauge("service", "qml_loop_silence_seconds", "Since the main loop last came round.", (), "seconds"),
    _gauge("log", "qml_log_failing", "1 while the log refuses; it is tried again every second."),
    _gauge("log", "qml_log_records", "Records kept by offsets; a hole counts as one.", ("stream",)),
    _gauge("log", "qml_log_size_bytes", "Size of a file on disk.", ("file",), "bytes"),
    _gauge("log", "qml_log_limit_bytes", "log.max_bytes of the configuration.", (), "bytes"),
    _counter("log", "qml_log_errors_total", "Rounds of the loop that an error of the log ended."),
    _gauge("log", "qml_disk_free_bytes", "Free on the disk of the log, for this user.", (), "bytes"),
    _gauge("log", "qml_disk_size_bytes", "Size of the disk of the log.", (), "bytes"),
    _counter("log", "qml_retention_removed_records_total", "Records removed by age or size."),
    _counter("log", "qml_retention_unread_records_total", "Findings removed before they were dispatched."),
    _counter("events", "qml_intake_events_total", "Events taken from the spool."),
    _gauge("events", "qml_intake_lag_bytes", "Bytes in the spool that are not in the log yet.", (), "bytes"),
    _gauge("events", "qml_intake_segments", "Files in the spool."),
    _gauge("events", "qml_intake_unreadable", "1 while the spool, or a file in it, cannot be read."),
    _counter("events", "qml_ingest_requests_total", "Requests that brought events over HTTP."),
    _counter("events", "qml_ingest_events_total", "Events accepted over HTTP."),
    _counter("events", "qml_ingest_rejected_total", "Events rejected over HTTP, by reason.", ("code",)),
    _counter("events", "qml_ingest_refused_total", "Requests refused whole, by HTTP status.", ("code",)),
    _gauge("events", "qml_ingest_waiting_events", "Events taken over HTTP that wait for the log."),
    _gauge("events", "qml_mqtt_connected", "1 while events come from the MQTT broker."),
    _counter("events", "qml_mqtt_connections_total", "Connections to the MQTT broker."),
    _counter("events", "qml_mqtt_sessions_lost_total", "Connections at which the broker had forgotten this daemon."),
    _counter("events", "qml_mqtt_messages_total", "Messages received over MQTT."),
    _counter("events", "qml_mqtt_events_total", "Events stored that came over MQTT."),
    _counter("events", "qml_mqtt_rejected_total", "Messages that are no event to store, by reason.", ("code",)),
    _counter("events", "qml_mqtt_dropped_total", "Messages without acknowledgement (QoS 0) that found no room."),
    _gauge("events", "qml_mqtt_waiting_messages", "Messages received over MQTT that wait for the log."),
    _counter("events", "qml_dead_letters_total", "What could not be processed, kept whole, by origin.", ("origin",)),
    _gauge("runner", "qml_runner_lag_records", "Records not yet processed.", ("partition",)),
    _gauge("runner", "qml_runner_given_up", "1 where a partition is not processed.", ("partition",)),
    _gauge("runner", "qml_runner_series", "Series with a state in memory.", ("partition",)),
    _gauge("runner", "qml_runner_dirty_series", "States not yet in the checkpoint.", ("partition",)),
    _gauge("runner", "qml_runner_timers", "Timers set.", ("partition",)),
    _gauge("runner", "qml_runner_open_findings", "Findings open, by the runner's index.", ("partition",)),
    _gauge("runner", "qml_runner_recovery_seconds", "Time the last recovery took.", ("partition",), "seconds"),
    _counter("runner", "qml_runner_events_total", "Events processed."),
    _counter("runner", "qml_runner_duplicates_total", "Events dropped because they came before."),
    _counter("runner", "qml_runner_unknown_total", "Events of a type that this version does not know."),
    _counter("runner", "qml_runner_batches_total", "Batches committed."),
    _counter("runner", "qml_runner_timers_fired_total", "Timers fired."),
    _counter("runner", "qml_runner_errors_total", "Errors raised by a processor.", ("processor",)),
    _gauge("runner", "qml_follower_lag_records", "Records that a follower of the log has yet to see.", ("consumer",)),
    _counter("runner", "qml_follower_failures_total", "Batches that a follower of the log failed on.", ("consumer",)),
    _gauge(
        "jobs", "qml_followed_jobs", "Jobs that the follower asks for: open, or without a bill.", ("provider", "state")
    ),
    _counter("jobs", "qml_followed_given_up_jobs_total", "Jobs that the follower gave up: too many, or open too long."),
    _gauge(
        "jobs",
        "qml_followed_reported_timestamp_seconds",
        "When the follower last wrote its figures, Unix time.",
        (),
        "timestamp",
    ),
    _counter("jobs", "qml_provider_looks_total", "Questions of the follower to a provider.", ("provider", "outcome")),
    _gauge(
        "jobs",
        "qml_provider_closed",
        "1 while a provider cannot be asked at all, as without credentials.",
        ("provider",),
    ),
    _gauge("notifications", "qml_alerts", "Alerts that the dispatcher holds."),
    _gauge("notifications", "qml_alert_groups", "Groups of alerts that the dispatcher holds."),
    _gauge("notifications", "qml_notifications_waiting", "Notifications in the outbox, neither sent nor given up."),
    _counter(
        "notifications", "qml_deliveries_total", "Notifications sent, given up (failed), retried.", ("kind", "outcome")
    ),
)

METRICS: tuple[Metric, ...] = WATCHED + SERVICE

PROCESS: tuple[str, ...] = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
)
"""What prometheus-client tells of the process, under Prometheus's own names."""
