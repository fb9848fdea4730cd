"""The alert rules on the service itself and the recording rules, as a Prometheus rule file."""

from dataclasses import dataclass
from typing import Any

JOB = "quantum-mlops"
OURS = f'job="{JOB}"'
DOCS = "docs/alerts"
"""Where the pages of the alerts are: in the repository; a house that serves them names their address by --docs."""
_DROPPED = "qml_emitter_dropped_events_total"


@dataclass(frozen=True)
class Alert:
    """One alert rule; `minutes` is its `for`."""

    name: str
    expr: str
    minutes: int
    severity: str
    summary: str
    description: str


ALERTS = (
    Alert(
        "QmlDown", f"up{{{OURS}}} == 0", 5, "critical",
        "The quantum-mlops daemon does not answer",
        "Prometheus could not scrape {{ $labels.instance }} for five minutes. Training code goes on and keeps its events in the spool; no alert is sent meanwhile.",
    ),
    Alert(
        "QmlAbsent", f"absent(up{{{OURS}}})", 10, "warning",
        "Prometheus scrapes no quantum-mlops daemon",
        f"No target has the job name {JOB}: the scrape configuration is gone, or names the job differently.",
    ),
    Alert(
        "QmlRestarting", f"changes(process_start_time_seconds{{{OURS}}}[30m]) > 3", 0, "warning",
        "The quantum-mlops daemon starts again and again",
        "{{ $labels.instance }} started {{ $value }} times in half an hour.",
    ),
    Alert(
        "QmlLoopStalled", "qml_loop_silence_seconds > 60", 2, "critical",
        "The daemon answers, but its main loop does not come round",
        "The loop of {{ $labels.instance }} last came round {{ $value | humanizeDuration }} ago: nothing is taken in, processed or sent.",
    ),
    Alert(
        "QmlLogFailing", "qml_log_failing > 0", 2, "critical",
        "The log cannot be written or read",
        "The log of {{ $labels.instance }} has refused for two minutes. Events wait in the spool.",
    ),
    Alert(
        "QmlLogLagging", "sum without (partition) (qml_runner_lag_records) > 10000", 10, "warning",
        "Processing lags behind what is received",
        "{{ $labels.instance }} has {{ $value | humanize }} records yet to process; findings come late.",
    ),
    Alert(
        "QmlIntakeLagging", "qml_intake_lag_bytes > 64 * 1024 * 1024", 10, "warning",
        "The spool grows faster than it is taken in",
        "{{ $value | humanize1024 }}B wait in the spool of {{ $labels.instance }}.",
    ),
    Alert(
        "QmlSpoolUnreadable", "qml_intake_unreadable > 0", 10, "warning",
        "The spool, or a file in it, cannot be read",
        "Events of some process do not reach {{ $labels.instance }}; its log and `quantum-mlops doctor` name the file.",
    ),
    Alert(
        "QmlPartitionGivenUp", "qml_runner_given_up > 0", 0, "critical",
        "A partition is not processed",
        "Partition {{ $labels.partition }} of {{ $labels.instance }} was given up; what it holds is kept, but nothing is found in it.",
    ),
    Alert(
        "QmlProcessorFailing", "increase(qml_runner_errors_total[15m]) > 0", 0, "warning",
        "A processor raises errors",
        "The processor {{ $labels.processor }} of {{ $labels.instance }} raised {{ $value | humanize }} errors in a quarter of an hour; the series concerned began anew.",
    ),
    Alert(
        "QmlDeadLetters", "increase(qml_dead_letters_total[15m]) > 0", 0, "warning",
        "Something received could not be processed",
        "{{ $value | humanize }} dead letters ({{ $labels.origin }}) on {{ $labels.instance }} in a quarter of an hour; they are kept whole, with the reason.",
    ),
    Alert(
        # A reason is there from its first loss on, which `increase` does not see: `unless … offset` does.
        "QmlEventsDropped",
        f"sum without (reason) (increase({_DROPPED}[15m]) > 0 or ({_DROPPED} unless {_DROPPED} offset 15m) > 0)",
        0, "warning",
        "Training code lost events before they were stored",
        "Emitters that {{ $labels.instance }} watches say that they dropped {{ $value | humanize }} events in a quarter of an hour.",
    ),
    Alert(
        "QmlDeliveryFailing", 'increase(qml_deliveries_total{outcome="failed"}[15m]) > 0', 0, "critical",
        "Notifications are given up",
        "{{ $value | humanize }} notifications to a receiver of kind {{ $labels.kind }} were given up on {{ $labels.instance }}: nobody was told.",
    ),
    Alert(
        "QmlDeliveryRetrying",
        'increase(qml_deliveries_total{outcome="retried"}[15m]) > 0'
        ' unless ignoring (outcome) increase(qml_deliveries_total{outcome="sent"}[15m]) > 0',
        15, "warning",
        "A receiver takes no notifications",
        "All attempts at receivers of kind {{ $labels.kind }} failed for half an hour on {{ $labels.instance }}; they are tried for a day.",
    ),
    Alert(
        "QmlStoreFull", "qml_disk_free_bytes / qml_disk_size_bytes < 0.05", 5, "critical",
        "The disk of the log is almost full",
        "{{ $value | humanizePercentage }} of the disk of {{ $labels.instance }} is free. When it is full events wait in the spool, which may be on the same disk.",
    ),
    Alert(
        "QmlFindingsUnread", "increase(qml_retention_unread_records_total[1h]) > 0", 0, "critical",
        "Findings were removed before they were dispatched",
        "{{ $labels.instance }} removed {{ $value | humanize }} findings, over log.max_bytes, that nobody was told of.",
    ),
    Alert(
        "QmlMemoryHigh", f"process_resident_memory_bytes{{{OURS}}} > 512 * 1024 * 1024", 15, "warning",
        "The daemon uses more memory than it should",
        "{{ $labels.instance }} holds {{ $value | humanize1024 }}B; 200 MiB are enough for 10,000 series.",
    ),
    Alert(
        "QmlLabelsOverflow", "increase(qml_metrics_overflow_total[1h]) > 0", 0, "info",
        "Metrics have more label values than they may",
        "Values of the label {{ $labels.label }} are counted as `other` on {{ $labels.instance }}. Findings and alerts are not affected.",
    ),
)  # fmt: skip

_JOBS = "sum without (project, provider, status) (rate(qml_jobs_total"
RECORDINGS = (
    ("instance:qml_events:rate5m", "sum without (type) (rate(qml_events_total[5m]))"),
    ("backend_status:qml_jobs:rate1h", "sum without (project, provider) (rate(qml_jobs_total[1h]))"),
    (
        "backend:qml_jobs_failed:ratio_rate1h",
        f'{_JOBS}{{status="failed"}}[1h])) / {_JOBS}{{status=~"completed|failed|cancelled"}}[1h]))',
    ),
    (
        "backend:qml_job_queue_seconds:p95_1h",
        "histogram_quantile(0.95, rate(qml_job_queue_seconds_bucket[1h]))",
    ),
    ("project_currency:qml_job_cost:increase1d", "sum without (backend, provider) (increase(qml_job_cost_total[1d]))"),
    ("instance:qml_findings:open", "sum without (rule, severity) (qml_findings_open)"),
)


def build_rules(docs: str) -> dict[str, Any]:
    """Return the rule file's content."""
    alerts = []
    for alert in ALERTS:
        rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
        if alert.minutes:
            rule["for"] = f"{alert.minutes}m"
        rule["labels"] = {"severity": alert.severity}
        rule["annotations"] = {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{docs}/{alert.name}.md",
        }
        alerts.append(rule)
    recordings = [{"record": name, "expr": expr} for name, expr in RECORDINGS]
    return {
        "groups": [
            {"name": "quantum-mlops.recordings", "rules": recordings},
            {"name": "quantum-mlops.service", "rules": alerts},
        ]
    }
