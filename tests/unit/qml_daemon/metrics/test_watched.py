"""What the consumer counts of jobs, runs, findings and calibrations."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from qml_daemon.metrics.bounds import Bounds
from qml_daemon.metrics.collector import build_registry
from qml_daemon.metrics.jobs import JobBook
from qml_daemon.metrics.tally import Distribution
from quantum_mlops.clock import SECOND
from quantum_mlops.events import (
    CalibrationColumn,
    CalibrationSnapshot,
    Cost,
    EmitterDropped,
    FindingChanged,
    Job,
    Money,
    RunEnded,
    RunHeartbeat,
    RunStarted,
)
from quantum_mlops.events.job import ProviderTimes
from quantum_mlops.transports.base import DeadLetter, Record, Stream, Undecodable

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
WHOSE = ("ibm_hanoi", "ibm", "iris")


def job(**fields):
    return Job(job_id=fields.pop("job_id", "j1"), backend="ibm_hanoi", provider="ibm", **fields)


def finding(number="f1", **fields):
    fields = {"rule": "CircuitDrift", "severity": "critical", "labels": {"backend": "ibm_hanoi"}} | fields
    return FindingChanged(finding_id=number, transition=0, series="s", **fields)


def test_a_job_counts_once_a_status_however_often_it_is_told(make_audience):
    audience = make_audience()
    for short in ("created", "running", "created", "completed", "completed", "running"):
        audience.hear(f"job.{short}", job())
    audience.hear("job.created", job(job_id="j2"))
    assert audience.tell("qml_jobs_total") == {
        (*WHOSE, "created"): 2, (*WHOSE, "running"): 1, (*WHOSE, "completed"): 1,
    }  # fmt: skip


LIFE = [
    ("job.created", job(times=ProviderTimes(created=NOON))),
    ("job.running", job(times=ProviderTimes(queued=NOON, started=NOON + timedelta(seconds=30)))),
    ("job.completed", job(shots_executed=1024, executions=32, duration_seconds=41.5,
                          times=ProviderTimes(started=NOON + timedelta(seconds=30), ended=NOON + timedelta(seconds=38)))),
    ("job.billed", Job(job_id="j1", backend="ibm_hanoi", provider="ibm", cost=Cost(final=Money(amount="1.60", currency="USD")))),
]  # fmt: skip


def test_the_figures_of_a_job_are_the_same_in_any_order_and_with_repeats(make_audience):
    seen = set()
    for order in itertools.permutations(LIFE):
        audience = make_audience()
        for short, data in (*order, *order):
            audience.hear(short, data)
        figures = {one for one in audience.watched.figures() if one.name != "qml_events_total"}
        seen.add(frozenset(figures))
    assert len(seen) == 1
    assert audience.tell("qml_job_shots_total") == {WHOSE: 32 * 1024}
    assert audience.tell("qml_job_executions_total") == {WHOSE: 32}
    assert audience.tell("qml_job_queue_seconds") == {("ibm_hanoi",): Distribution((0, 0, 1, 0, 0, 0, 0, 0), 30.0)}
    assert audience.tell("qml_job_execution_seconds") == {("ibm_hanoi",): Distribution((0, 0, 1, 0, 0, 0, 0), 8.0)}
    assert audience.tell("qml_job_duration_seconds") == {("ibm_hanoi",): Distribution((0, 0, 0, 1, 0, 0, 0), 41.5)}
    assert audience.tell("qml_job_cost_total") == {(*WHOSE, "USD"): 1.6}


def test_a_wait_that_was_seen_counts_once_where_the_provider_tells_no_times(make_audience):
    audience = make_audience()
    for short in ("job.running", "job.completed", "job.completed"):
        audience.hear(short, job(queue_seconds=30.0))
    audience.hear("job.running", job(job_id="j2", queue_seconds=-1.0))
    assert audience.tell("qml_job_queue_seconds") == {("ibm_hanoi",): Distribution((0, 0, 1, 0, 0, 0, 0, 0), 30.0)}


def test_seconds_on_the_device_count_once_and_are_corrected_upwards(make_audience):
    audience = make_audience()
    for seconds in (2.0, 2.0, 2.5, 1.0):
        audience.hear("job.billed", job(qpu_seconds=seconds))
    audience.hear("job.billed", job(job_id="j2", qpu_seconds=4.0))
    assert audience.tell("qml_job_qpu_seconds_total") == {WHOSE: 6.5}


def test_what_is_not_known_of_a_job_is_not_counted(make_audience):
    audience = make_audience()
    audience.hear("job.completed", job(shots_executed=1024, cost=Cost(estimated=Money(amount="3", currency="USD"))))
    audience.hear(
        "job.completed", job(job_id="j2", times=ProviderTimes(queued=NOON, started=NOON - timedelta(seconds=1)))
    )
    names = {one.name for one in audience.watched.figures()}
    assert names == {"qml_jobs_total", "qml_events_total", "qml_metrics_overflow_total"}


def test_a_bill_is_counted_once_corrected_upwards_and_by_currency(make_audience):
    audience = make_audience()
    for amount, currency in (
        ("1.60", "USD"),
        ("1.60", "USD"),
        ("2.00", "USD"),
        ("0.50", "USD"),
        ("3", "EUR"),
        ("-1", "CHF"),
    ):
        audience.hear("job.billed", job(cost=Cost(final=Money(amount=amount, currency=currency))))
    assert audience.tell("qml_job_cost_total") == {
        (*WHOSE, "USD"): pytest.approx(2.0), (*WHOSE, "EUR"): 3.0,
    }  # fmt: skip


def test_the_memory_of_jobs_is_bounded(make_audience):
    audience = make_audience()
    audience.watched._jobs = JobBook(audience.watched._tally, most=10)
    for number in range(25):
        audience.hear("job.created", job(job_id=f"j{number}"))
    audience.hear("job.created", job(job_id="j24"))
    audience.hear("job.created", job(job_id="j0"))
    assert len(audience.watched._jobs._jobs) == 10
    assert audience.tell("qml_jobs_total") == {(*WHOSE, "created"): 26}


def test_a_run_is_active_while_it_is_heard_of_and_until_it_ends(make_audience):
    audience = make_audience()
    for run in ("r1", "r2", "r3"):
        audience.hear("run.started", RunStarted(name=run), run=run)
    assert audience.tell("qml_runs_active") == {("iris",): 3}
    audience.clock.advance_seconds(250)
    audience.hear("run.heartbeat", RunHeartbeat(uptime_seconds=250.0), run="r1")
    audience.clock.advance_seconds(100)
    assert audience.tell("qml_runs_active") == {("iris",): 1}
    for _ in range(2):
        audience.hear("run.ended", RunEnded(status="failed", duration_seconds=1.0), run="r1")
    audience.hear("run.heartbeat", RunHeartbeat(uptime_seconds=250.0), run="r1")
    assert audience.tell("qml_runs_active") == {("iris",): 0}
    assert audience.tell("qml_runs_ended_total") == {("iris", "failed"): 1}


def test_open_findings_are_those_opened_and_not_closed(make_audience):
    audience = make_audience()
    for change, data in (
        ("opened", finding("f1", values={"hellinger": 0.2})),
        ("opened", finding("f2", values={"hellinger": 0.3})),
        ("opened", finding("f3", rule="StuckJob", severity="warning", labels={})),
        ("updated", finding("f1", values={"hellinger": 0.25})),
        ("closed", finding("f2")),
        ("notice", finding("f4", rule="ClockJump", severity="info")),
    ):
        audience.hear(f"finding.{change}", data, stream=Stream.FINDINGS)
    assert audience.tell("qml_findings_open") == {("CircuitDrift", "critical"): 1, ("StuckJob", "warning"): 1}
    assert audience.tell("qml_findings_total") == {
        ("CircuitDrift", "critical"): 2, ("StuckJob", "warning"): 1, ("ClockJump", "info"): 1,
    }  # fmt: skip
    assert audience.tell("qml_drift_hellinger_distance") == {("ibm_hanoi",): 0.25}
    audience.hear("finding.closed", finding("f1"), stream=Stream.FINDINGS)
    assert audience.tell("qml_findings_open")["CircuitDrift", "critical"] == 0
    assert audience.tell("qml_drift_hellinger_distance") == {}


def test_findings_from_before_the_start_are_open_but_not_counted(make_audience):
    audience = make_audience(starts={0: 2})
    for number in range(3):
        audience.hear("finding.opened", finding(f"f{number}"), stream=Stream.FINDINGS)
    assert audience.tell("qml_findings_open") == {("CircuitDrift", "critical"): 3}
    assert audience.tell("qml_findings_total") == {("CircuitDrift", "critical"): 1}


def test_a_calibration_has_two_times_and_an_older_one_changes_neither(make_audience):
    audience = make_audience()
    column = CalibrationColumn(name="t1", unit="s", wires=[[0], [1]], values=[1e-4, None], times=[1.79e9, None])
    audience.hear(
        "calibration.snapshot", CalibrationSnapshot(backend="ibm_hanoi", calibration_id="c", columns=[column])
    )
    audience.hear("calibration.snapshot", CalibrationSnapshot(backend="other_one", calibration_id="d", columns=[]))
    old = CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[1e-4], times=[1.6e9])
    audience.hear("calibration.snapshot", CalibrationSnapshot(backend="ibm_hanoi", calibration_id="b", columns=[old]))
    received = audience.clock() / SECOND
    assert audience.tell("qml_calibration_received_timestamp_seconds") == {
        ("ibm_hanoi",): received,
        ("other_one",): received,
    }
    assert audience.tell("qml_calibration_measured_timestamp_seconds") == {("ibm_hanoi",): 1.79e9}


def test_losses_are_counted_by_reason_and_records_by_type(make_audience):
    audience = make_audience()
    lost = EmitterDropped(count=5, reasons={"full": 3, "disk": 2}, first_time=NOON, last_time=NOON)
    audience.hear("emitter.dropped", lost)
    audience.hear("job.created", job())
    assert audience.tell("qml_emitter_dropped_events_total") == {("full",): 3, ("disk",): 2}
    assert audience.tell("qml_events_total") == {("emitter.dropped",): 1, ("job.created",): 1}


def test_what_is_no_event_is_passed_over(make_audience):
    audience = make_audience()
    audience.watched.take(Stream.EVENTS, 0, [Record(0, Undecodable(b"x", "no JSON"), 0)])
    audience.watched.take(Stream.DEAD_LETTERS, 0, [Record(0, DeadLetter(data=b"x", reason="r", origin="log"), 0)])
    assert audience.tell("qml_events_total") == {}


def test_a_flood_of_names_comes_to_other_and_says_so(make_audience):
    audience = make_audience(
        bounds=Bounds(dict.fromkeys(("backend", "project", "provider", "rule", "reason", "currency"), 3))
    )
    for number in range(10):
        audience.hear("run.started", RunStarted(name="r"), project=f"p{number}", run=f"r{number}")
    assert audience.tell("qml_runs_active") == {("p0",): 1, ("p1",): 1, ("p2",): 1, ("other",): 7}
    assert audience.tell("qml_metrics_overflow_total")["project",] == 7


def test_any_event_of_the_contract_is_taken(make_audience, any_event):
    audience = make_audience()

    @given(any_event)
    def take(event):
        for stream in (Stream.EVENTS, Stream.FINDINGS):
            audience.watched.take(stream, 0, [Record(0, event, 1)])

    take()
    body = generate_latest(build_registry([audience.watched.figures])).decode()
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert families["qml_events"].samples


def test_scrapes_beside_the_follower_never_see_a_counter_fall(make_audience):
    audience = make_audience()
    registry = build_registry([audience.watched.figures])
    seen, done = ([], []), threading.Event()

    def scrape(mine):
        while not done.is_set() or not mine:
            found = next(family for family in registry.collect() if family.name == "qml_events")
            mine.append(sum(sample.value for sample in found.samples))

    readers = [threading.Thread(target=scrape, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    for number in range(2000):
        audience.hear("job.created", job(job_id=f"j{number}"), project=f"p{number % 120}", run=f"r{number}")
    done.set()
    for reader in readers:
        reader.join()
    assert audience.tell("qml_events_total") == {("job.created",): 2000}
    assert all(mine == sorted(mine) for mine in seen)
