"""What a worker tells Prometheus."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from qml_daemon.metrics.collector import FigureCollector
from qml_daemon.worker.figures import WORKER_METRICS, describe_worker
from qml_processors.runner.counts import Counts, PartitionStats
from qml_processors.worker.owned_log import COMMIT_BUCKETS
from qml_processors.worker.worker import PartitionReport, WorkerReport
from quantum_mlops.clock import SECOND


@pytest.fixture
def report():
    counts = Counts(records=90, events=80, duplicates=3, misplaced=2, lost=7, processor_errors={"drift": 1})
    stats = PartitionStats(
        partition=4, now=1_800_000_000 * SECOND, offset=90, lag=10, series=5, recovery_seconds=0.5, counts=counts
    )
    other = PartitionStats(partition=5, given_up="a newer state", counts=Counts())
    commits = [0] * (len(COMMIT_BUCKETS) + 1)
    commits[1], commits[-1] = 3, 1
    parts = [
        PartitionReport(
            stats=one, backlog=6, holes=2, doubts=1, repeats=4, stalls=0, commit_counts=commits, commit_seconds=12.5
        )
        for one in (stats, other)
    ]
    return WorkerReport(at=1.0, silence_seconds=0.0, joined=True, rebalances=3, opening=[6], partitions=parts)


def scrape(report):
    registry = CollectorRegistry()
    registry.register(FigureCollector([lambda: describe_worker(report, ("drift", "cost"))], WORKER_METRICS))
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_every_partition_has_its_figures(report):
    figures = scrape(report)
    assert figures['qml_worker_owner{partition="4"}'] == 1
    assert figures['qml_worker_owner{partition="5"}'] == 0
    assert figures['qml_runner_given_up{partition="5"}'] == 1
    assert figures['qml_worker_now_seconds{partition="4"}'] == 1_800_000_000
    assert figures['qml_worker_next_offset{partition="4"}'] == 90
    assert figures['qml_runner_lag_records{partition="4"}'] == 10
    assert figures['qml_worker_misplaced_total{partition="4"}'] == 2
    assert figures['qml_worker_lost_total{partition="4"}'] == 7
    assert figures['qml_worker_doubts_total{partition="4"}'] == 1
    assert figures["qml_worker_opening_partitions"] == 1
    assert figures["qml_worker_rebalances_total"] == 3
    assert figures['qml_runner_errors_total{processor="drift"}'] == 1
    assert figures['qml_runner_errors_total{processor="cost"}'] == 0


def test_commits_are_a_histogram(report):
    figures = scrape(report)
    assert figures['qml_worker_commit_seconds_bucket{le="0.005",partition="4"}'] == 0
    assert figures['qml_worker_commit_seconds_bucket{le="0.01",partition="4"}'] == 3
    assert figures['qml_worker_commit_seconds_bucket{le="+Inf",partition="4"}'] == 4
    assert figures['qml_worker_commit_seconds_sum{partition="4"}'] == 12.5


def test_no_name_stands_in_the_list_twice():
    names = [metric.name for metric in WORKER_METRICS]
    assert len(set(names)) == len(names)
