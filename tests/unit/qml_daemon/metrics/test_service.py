"""What the service says of itself: complete, true while the loop hangs, and never a part that works."""

import gc

import pytest
from msgspec.structs import replace

from qml_daemon.delivery.outbox import OutboxStats
from qml_daemon.dispatch.dispatcher import DispatcherStats
from qml_daemon.follow import ConsumerStats, FollowerStats
from qml_daemon.following.status import FollowerStatus, ProviderStatus, write_follower_status
from qml_daemon.http.health import Health
from qml_daemon.ingest.door import IngestStats
from qml_daemon.intake.intake import IntakeStats
from qml_daemon.metrics.catalogue import SERVICE
from qml_daemon.metrics.meter import Meter
from qml_daemon.metrics.service import Files
from qml_daemon.mqtt.stats import MqttStats
from qml_daemon.status import Status
from qml_processors.runner.counts import Counts, PartitionStats, RunnerStats
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.transports.memory import MemoryLog

FOLLOWER = FollowerStats(
    records=9, log_errors=0, fault=None,
    consumers={"metrics": ConsumerStats(failures=0, passed_over=0, behind=4, fault=None)},
)  # fmt: skip


def make_status(counts=None, **fields):
    known = {
        "version": "1", "pid": 1, "state": "ready", "config": None, "started": 0, "written": 0, "log_errors": 2,
        "fault": None, "records_removed": 3, "unread_removed": 1,
        "ingest": IngestStats(requests=5, accepted=4, rejected={"type": 2}, refused={"413": 1}, waiting=6),
        "mqtt": MqttStats(
            url="mqtt://h:1883", connected=True, fault=None, connections=3, sessions_lost=1, messages=9, events=7,
            rejected={"malformed": 2}, dropped=1, waiting=4,
        ),
        "intake": IntakeStats(
            events=10, dead_letters=1, removed=0, adopted=0, segments=2, foreign=0, lag_bytes=77, fault="no permission"
        ),
        "runner": RunnerStats(
            partitions=[
                PartitionStats(partition=0, lag=11, series=7, dirty=2, timers=3, counts=counts or Counts()),
                PartitionStats(partition=1, given_up="a newer state", counts=Counts(events=1, dead_letters=3)),
            ]
        ),
        "dispatcher": DispatcherStats(
            alerts=2, groups=1, findings=4, notifications=5,
            outbox=OutboxStats(waiting=8, kinds={"slack": {"sent": 3, "failed": 1, "retried": 0}}),
        ),
    }  # fmt: skip
    return Status(**(known | fields))


@pytest.fixture
def make_meter(tmp_path):
    def make(health=None, files=None):
        log = MemoryLog(partitions=2, clock=ManualClock(SECOND))
        return Meter(log, health or Health(), ManualClock(SECOND), ["drift", "cost"], files)

    return make


FOLLOWED = FollowerStatus(
    version="1", pid=1, state="running", started=0, written=2 * SECOND, behind=0, removed=0, told={}, given_up=0,
    refused_events=0, fault=None,
    providers={"ibm": ProviderStatus(open_jobs=3, unbilled_jobs=1, looks=9, refusals=2, errors=4, closed="no token")},
)  # fmt: skip


def samples(meter):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in meter.registry.collect()
        for sample in family.samples
    }


def test_every_metric_of_the_service_has_a_figure_as_soon_as_the_loop_published(make_meter, tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"0" * 4096)
    files = Files(tmp_path, {"log": tmp_path / "store.sqlite", "wal": tmp_path / "none"}, 10**10)
    write_follower_status(tmp_path, FOLLOWED)
    meter = make_meter(files=files)
    meter.publish(make_status(), FOLLOWER)
    found = samples(meter)
    assert {metric.name for metric in SERVICE} <= {key[0] for key in found}
    assert found["qml_log_size_bytes", "log"] == 4096
    assert found["qml_log_size_bytes", "wal"] == 0
    assert 0 < found["qml_disk_free_bytes",] <= found["qml_disk_size_bytes",]


def test_the_follower_of_jobs_is_shown_while_it_runs(make_meter, tmp_path):
    meter = make_meter(files=Files(tmp_path, {}, None))
    assert not [key for key in samples(meter) if key[0].startswith(("qml_followed", "qml_provider"))]
    write_follower_status(tmp_path, FOLLOWED)
    found = samples(meter)
    assert (found["qml_followed_jobs", "ibm", "open"], found["qml_followed_jobs", "ibm", "unbilled"]) == (3, 1)
    assert [found["qml_provider_looks_total", "ibm", one] for one in ("answered", "refused", "failed")] == [7, 2, 4]
    assert (found["qml_provider_closed", "ibm"], found["qml_followed_reported_timestamp_seconds",]) == (1, 2.0)
    write_follower_status(tmp_path, replace(FOLLOWED, state="stopped"))
    assert not [key for key in samples(meter) if key[0].startswith(("qml_followed", "qml_provider"))]


def test_the_figures_are_those_of_the_status(make_meter):
    meter = make_meter()
    meter.publish(make_status(Counts(events=20, dead_letters=2, processor_errors={"drift": 4})), FOLLOWER)
    found = samples(meter)
    assert found["qml_dead_letters_total", "intake"] == 1
    assert found["qml_dead_letters_total", "runner"] == 5
    assert found["qml_runner_events_total",] == 21
    assert (found["qml_runner_errors_total", "drift"], found["qml_runner_errors_total", "cost"]) == (4, 0)
    assert (found["qml_runner_given_up", "0"], found["qml_runner_given_up", "1"]) == (0, 1)
    assert found["qml_runner_lag_records", "0"] == 11
    assert found["qml_intake_unreadable",] == 1
    assert found["qml_deliveries_total", "slack", "failed"] == 1
    assert found["qml_notifications_waiting",] == 8
    assert found["qml_ingest_refused_total", "413"] == 1
    assert found["qml_follower_lag_records", "metrics"] == 4
    assert found["qml_log_records", "events"] == 0


def test_what_was_published_does_not_change_with_the_counts(make_meter):
    meter, counts = make_meter(), Counts(events=1, processor_errors={"drift": 1})
    meter.publish(make_status(counts), FOLLOWER)
    counts.events = 100
    counts.processor_errors["drift"] = 100
    found = samples(meter)
    assert (found["qml_runner_events_total",], found["qml_runner_errors_total", "drift"]) == (2, 1)


def test_a_loop_that_hangs_or_whose_log_refuses_is_told_without_it(make_meter):
    now = [0.0]
    health = Health(lambda: now[0])
    meter = make_meter(health)
    now[0] = 75.0
    health.fault = "disk full"
    found = samples(meter)
    assert (found["qml_loop_silence_seconds",], found["qml_log_failing",]) == (75.0, 1)
    health.beat()
    health.fault = None
    found = samples(meter)
    assert (found["qml_loop_silence_seconds",], found["qml_log_failing",]) == (0.0, 0)


def test_two_hundred_scrapes_leave_nothing_behind(make_meter):
    meter = make_meter()
    meter.publish(make_status(), FOLLOWER)
    samples(meter)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        samples(meter)
    gc.collect()
    assert len(gc.get_objects()) - before < 50
