"""What a worker tells Prometheus: the runner's metrics by the daemon's names, and what only an owner has."""

import platform
from collections.abc import Iterator
from itertools import chain

from qml_daemon.metrics.catalogue import METRICS, Metric
from qml_daemon.metrics.service import describe_runner
from qml_daemon.metrics.tally import Distribution, Figure
from qml_processors.worker.owned_log import COMMIT_BUCKETS
from qml_processors.worker.worker import WorkerReport
from quantum_mlops.clock import SECOND
from quantum_mlops.version import __version__

_SHARED = ("qml_build_info", "qml_dead_letters_total")
_COUNTS = {
    "records": "Records taken, of every kind.",
    "batches": "Transactions that held records.",
    "duplicates": "Events seen before, dropped.",
    "misplaced": "Events in the wrong partition, sent on to their own.",
    "undecodable": "Records that are no event, dead-lettered.",
    "findings": "Transitions of findings written.",
    "summaries": "Summaries written.",
    "losses": "Times that Kafka no longer held what was needed.",
    "lost": "Records that Kafka removed before they were processed, at most.",
}
_DELIVERED = {
    "holes": "Holes in the offsets that were real (markers of transactions, retention).",
    "doubts": "Holes in which records were missing: the engine was sought back.",
    "repeats": "Records delivered again and dropped.",
    "stalls": "Times that a partition stood still before its end and was sought again.",
}


def _own(kind: str, name: str, text: str, *labels: str, buckets: tuple[float, ...] = ()) -> Metric:
    return Metric(name=name, kind=kind, group="runner", help=text, labels=labels, buckets=buckets)  # type: ignore[arg-type] # three words


WORKER_METRICS: tuple[Metric, ...] = (
    *(metric for metric in METRICS if metric.group == "runner" or metric.name in _SHARED),
    _own("gauge", "qml_worker_owner", "1 for each partition that this worker owns and processes.", "partition"),
    _own("gauge", "qml_worker_opening_partitions", "Partitions given by the group and not recovered yet."),
    _own("counter", "qml_worker_rebalances_total", "Assignments by the group."),
    _own("gauge", "qml_worker_now_seconds", "The partition's clock: time of its last record, Unix.", "partition"),
    _own("gauge", "qml_worker_next_offset", "The next offset to process.", "partition"),
    _own("gauge", "qml_worker_replay_offset", "Where a recovery would begin to replay.", "partition"),
    _own("gauge", "qml_worker_backlog_records", "Records delivered and not yet processed.", "partition"),
    _own("histogram", "qml_worker_commit_seconds", "How long transactions take.", "partition", buckets=COMMIT_BUCKETS),
    *(_own("counter", f"qml_worker_{name}_total", text, "partition") for name, text in (_COUNTS | _DELIVERED).items()),
)
"""Every metric of a worker, in one list."""


def describe_worker(report: WorkerReport, processors: tuple[str, ...]) -> list[Figure]:
    """Return the figures of a report. Counts begin anew where a partition is opened anew."""
    own = [
        Figure("qml_build_info", (__version__, platform.python_version()), 1),
        Figure("qml_worker_opening_partitions", (), len(report.opening)),
        Figure("qml_worker_rebalances_total", (), report.rebalances),
    ]
    stats = [one.stats for one in report.partitions]
    return list(chain(own, describe_runner(stats, processors), _describe_partitions(report)))


def _describe_partitions(report: WorkerReport) -> Iterator[Figure]:
    for one in report.partitions:
        labels = (str(one.stats.partition),)
        yield Figure("qml_worker_owner", labels, one.stats.given_up is None)
        yield Figure("qml_worker_now_seconds", labels, one.stats.now / SECOND)
        yield Figure("qml_worker_next_offset", labels, one.stats.offset)
        yield Figure("qml_worker_replay_offset", labels, one.stats.replay_start)
        yield Figure("qml_worker_backlog_records", labels, one.backlog)
        commits = Distribution(tuple(one.commit_counts), one.commit_seconds)
        yield Figure("qml_worker_commit_seconds", labels, commits)
        for name in _COUNTS:
            yield Figure(f"qml_worker_{name}_total", labels, getattr(one.stats.counts, name))
        for name in _DELIVERED:
            yield Figure(f"qml_worker_{name}_total", labels, getattr(one, name))
