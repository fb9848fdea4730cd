"""From records to rows."""

import sqlite3

import pytest
from msgspec.structs import replace

from qml_daemon.views.backends import BackendRow
from qml_daemon.views.canaries import CANARIES_KEPT
from qml_daemon.views.findings import FindingRow
from qml_daemon.views.jobs import JobRow
from qml_daemon.views.reader import ViewReader
from qml_daemon.views.runs import METRICS_KEPT, RunRow
from qml_daemon.views.schema import BACKENDS, FINDINGS, JOBS, RUNS, SERIES
from qml_daemon.views.series import POINTS_KEPT, SeriesRow
from quantum_mlops.clock import DAY, SECOND
from quantum_mlops.errors import LogError
from quantum_mlops.events import (
    CalibrationColumn,
    CalibrationSnapshot,
    Event,
    Evidence,
    Expectation,
    Failure,
    Footprint,
    GradientStatistics,
    Job,
    MetricLogged,
    Outcomes,
    RunEnded,
    RunStarted,
    ShotsMeasured,
    SummaryMade,
    type_name,
)
from quantum_mlops.transports.base import Commit, Stream

START = 1_800_000_000 * SECOND


def test_a_run_shows_its_start_its_end_its_jobs_and_its_last_step(watched) -> None:
    watched.emit("run.started", RunStarted(name="vqc", tags={"who": "ada"}, host="lab1"), runid="r1")
    for number, status in enumerate(["job.created", "job.completed", "job.created"]):
        watched.emit(status, Job(job_id=f"j{number // 2}", backend="ibm_hanoi"), runid="r1", step=number)
    watched.emit("metric.logged", MetricLogged(values={"loss": 0.5, "acc": 0.9}), runid="r1", step=7)
    (run,) = watched.rows(RUNS, RunRow)
    assert (run.status, run.step, run.metrics, run.jobs) == ("running", 7, 2, {"completed": 1, "created": 1})
    assert {name: run.merged.facts[name] for name in ("name", "tags", "host")} == {
        "name": "vqc", "tags": {"who": "ada"}, "host": "lab1",
    }  # fmt: skip
    failed = RunEnded(status="failed", duration_seconds=3.0, failure=Failure(code="ValueError", message="no"))
    watched.emit("run.ended", failed, runid="r1")
    (run,) = watched.rows(RUNS, RunRow, status="failed")
    assert run.merged.facts["failure_code"] == "ValueError"
    assert watched.rows(RUNS, RunRow, status="running") == []


def test_a_run_whose_summary_says_silent_is_silent_until_something_comes(watched) -> None:
    watched.emit("run.started", RunStarted(name="vqc"), runid="r1")
    summary = SummaryMade(series="iris/summaries/run/r1", start=1, end=2, labels={"run": "r1", "status": "silent"})
    watched.clock.advance_seconds(86_400)
    watched.log.commit(0, Commit(summaries=[watched.event("summary.run", summary)], watermark=b""))
    (run,) = watched.rows(RUNS, RunRow, status="silent")
    assert run.run_id == "r1"
    watched.clock.advance_seconds(1)
    watched.emit("metric.logged", MetricLogged(values={"loss": 0.5}), runid="r1")
    (run,) = watched.rows(RUNS, RunRow, status="running")
    assert run.run_id == "r1"


def test_a_job_that_moves_is_counted_where_it_is(watched) -> None:
    watched.emit("job.created", Job(job_id="j1", backend="ibm_hanoi", pending_jobs=4))
    watched.emit("job.completed", Job(job_id="j1", backend="ibm_osaka"), runid="r1")
    watched.emit("job.queued", Job(job_id="j1"))
    (job,) = watched.rows(JOBS, JobRow, backend="ibm_osaka", run="r1", status="completed", project="iris")
    assert job.job_id == "j1"
    assert watched.rows(JOBS, JobRow, backend="ibm_hanoi") == []
    backends = {row.backend: row.jobs for row in watched.rows(BACKENDS, BackendRow)}
    assert backends == {"ibm_hanoi": {}, "ibm_osaka": {"completed": 1}}
    (run,) = watched.rows(RUNS, RunRow)
    assert run.jobs == {"completed": 1}


def test_a_backend_shows_its_calibration_and_its_canaries(watched) -> None:
    column = CalibrationColumn(name="t1", unit="s", wires=[[0], [6]], values=[1e-4, 2e-4], times=[None, None])
    watched.emit("calibration.snapshot", CalibrationSnapshot(backend="ibm_hanoi", calibration_id="c", columns=[column]))
    canary = ShotsMeasured(job_id="j", backend="ibm_hanoi", circuit="c1:a", shots=10, reference="canary")
    watched.emit("canary.measured", canary)
    watched.emit("shots.measured", ShotsMeasured(job_id="j", backend="ibm_hanoi", circuit="c1:a", shots=10))
    (backend,) = watched.rows(BACKENDS, BackendRow)
    assert (backend.qubits, backend.canaries, backend.merged.facts["calibration_id"]) == (7, 1, "c")


def test_the_executions_of_each_canary_are_counted_where_they_can_be_charted(watched) -> None:
    zeros, qubits = Outcomes(bits=1, keys=bytes(1), counts=[10]), Footprint(qubits=[4, 2])
    bell = ShotsMeasured(
        job_id="j", backend="hanoi", circuit="c1:a", shots=10, reference="canary", outcomes=zeros, footprint=qubits
    )
    for _ in range(3):
        watched.emit("canary.measured", bell)
    watched.emit("canary.measured", replace(bell, footprint=None))
    watched.emit(
        "canary.measured", replace(bell, outcomes=None, expectation=Expectation(observables="z", values=[1.0]))
    )
    watched.clock.now += 30 * DAY
    watched.emit("canary.measured", bell)
    (backend,) = watched.rows(BACKENDS, BackendRow)
    seen = [(one.circuit, one.qubits, one.executions, one.last) for one in backend.executed.series.values()]
    assert seen == [("c1:a", None, 1, START), ("c1:a", [4, 2], 1, START + 30 * DAY)], "forgotten after 30 days"
    assert backend.canaries == 6


def test_of_very_many_canaries_those_that_were_executed_last_are_kept(watched) -> None:
    zeros = Outcomes(bits=1, keys=bytes(1), counts=[10])
    for number in range(CANARIES_KEPT + 5):
        data = ShotsMeasured(
            job_id="j", backend="hanoi", circuit=f"c1:{number}", shots=10, reference="canary", outcomes=zeros
        )
        watched.emit("canary.measured", data)
    (backend,) = watched.rows(BACKENDS, BackendRow)
    assert [one.circuit for one in backend.executed.series.values()] == [f"c1:{n}" for n in range(5, CANARIES_KEPT + 5)]


def test_a_series_keeps_its_exact_last_value_and_evenly_thinned_points(watched) -> None:
    count = 5 * POINTS_KEPT
    values = [
        watched.event("metric.logged", MetricLogged(values={"loss": float(number)}), runid="r/1", step=number)
        for number in range(count)
    ]
    watched.log.append(values)
    watched.emit("metric.logged", MetricLogged(nonfinite={"loss": "nan"}), runid="r/1")
    (series,) = watched.rows(SERIES, SeriesRow, run="r/1", metric="loss")
    assert (series.count, series.last, series.low, series.high) == (count, count - 1.0, 0.0, count - 1.0)
    assert (series.nonfinite, series.last_nonfinite, series.stride) == (1, "nan", 8)
    reader = ViewReader(watched.path)
    ((seq, _),) = reader.find(SERIES, "r%2F1/loss", "iris")
    points = reader.points(seq)
    reader.close()
    assert [value for _, _, value in points] == [float(number) for number in range(0, count, 8)]
    assert len(points) <= POINTS_KEPT


def test_the_norm_and_variance_of_gradients_are_series_like_any_metric(watched) -> None:
    for step, variance in enumerate((0.25, None)):
        gradient = GradientStatistics(size=4, norm=2.0 + step, variance=variance, mean=0.1)
        watched.emit("metric.logged", MetricLogged(gradient=gradient), runid="r1", step=step)
    found = {row.metric: (row.count, row.last, row.last_step) for row in watched.rows(SERIES, SeriesRow)}
    assert found == {"qml.gradient.norm": (2, 3.0, 1), "qml.gradient.variance": (1, 0.25, 0)}


def test_names_of_metrics_over_the_bound_are_counted_not_kept(watched) -> None:
    names = {f"m{number}": 1.0 for number in range(METRICS_KEPT + 3)}
    watched.emit("metric.logged", MetricLogged(values=names), runid="r1")
    (run,) = watched.rows(RUNS, RunRow)
    assert (run.metrics, run.metrics_not_kept) == (METRICS_KEPT, 3)
    assert len(watched.rows(SERIES, SeriesRow)) == METRICS_KEPT


def test_a_finding_shows_its_life_and_where_its_evidence_lies(watched) -> None:
    bundle = Evidence(events=[("qml://host/0a/0", "1")], processor="drift", processor_version=1, bundle="{}")
    watched.find("opened", evidence=bundle, values={"hellinger": 0.1})
    watched.clock.advance_seconds(60)
    watched.find("closed", transition=1, reason="calm", values={"hellinger": 0.01})
    (row,) = watched.rows(FINDINGS, FindingRow, rule="CircuitDrift", status="resolved", backend="ibm_hanoi")
    known = row.history
    assert (known.opened, known.closed - known.opened, known.reason) == (
        watched.clock() - 60 * SECOND,
        60 * SECOND,
        "calm",
    )
    assert (known.values, known.at_close) == ({"hellinger": 0.1}, {"hellinger": 0.01})
    assert (row.partition, row.offset, known.evidence.bundle) == (0, 0, None)
    assert [name for _, name, _ in row.changes] == ["opened", "closed"]


def test_an_event_that_is_sent_twice_counts_once(watched) -> None:
    event = watched.emit("metric.logged", MetricLogged(values={"loss": 0.5}), runid="r1")
    watched.show()
    watched.log.append([event])
    (series,) = watched.rows(SERIES, SeriesRow)
    assert series.count == 1
    watched.restart()
    watched.log.append([event])
    (series,) = watched.rows(SERIES, SeriesRow)
    assert series.count == 1


@pytest.mark.parametrize("at", range(0, 12, 3))
def test_killed_at_any_commit_each_event_counts_once(watched, monkeypatch, at: int) -> None:
    monkeypatch.setattr("qml_daemon.follow.BATCH", 2)
    for number in range(12):
        watched.emit("metric.logged", MetricLogged(values={"loss": float(number)}), runid="r1", step=number)
    for _ in range(at):
        watched.follower.step()
    watched.restart()
    (series,) = watched.rows(SERIES, SeriesRow)
    (run,) = watched.rows(RUNS, RunRow)
    assert (series.count, series.last, run.events) == (12, 11.0, 12)


def test_a_batch_that_cannot_be_stored_is_shown_whole_the_next_time(watched) -> None:
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="r1")
    watched.show()
    watched.emit("metric.logged", MetricLogged(values={"loss": 2.0}), runid="r1")
    records = watched.log.read(Stream.EVENTS, 0, 1, 10)
    watched.store.connection.execute("CREATE TRIGGER full BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(LogError, match="full"):
        watched.projector.take(Stream.EVENTS, 0, records)
    assert watched.store.positions() == {(Stream.EVENTS, 0): 1}
    watched.store.connection.execute("DROP TRIGGER full")
    watched.projector.take(Stream.EVENTS, 0, records)
    (series,) = watched.rows(SERIES, SeriesRow)
    (run,) = watched.rows(RUNS, RunRow)
    assert (series.count, series.last, run.events) == (2, 2.0, 2)


def test_one_record_that_cannot_be_shown_does_not_hide_the_others(watched, caplog, monkeypatch) -> None:
    def fail(*args: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(BackendRow, "take_calibration", fail)
    column = CalibrationColumn(name="t1", wires=[], values=[], times=[])
    for number in range(2):
        snapshot = CalibrationSnapshot(backend="b", calibration_id="c", columns=[column])
        watched.emit("calibration.snapshot", snapshot)
        watched.emit("job.created", Job(job_id=f"j{number}"))
    assert len(watched.rows(JOBS, JobRow)) == 2
    stats = watched.follower.stats().consumers["views"]
    assert (stats.failures, stats.passed_over, stats.behind) == (1, 2, 0)
    assert caplog.text.count("a quantum_mlops.calibration.snapshot.v1 cannot be shown: ValueError: a bug") == 1


def test_only_what_is_new_is_told(watched) -> None:
    watched.emit("run.started", RunStarted(name="vqc"), runid="r1")
    watched.emit("job.created", Job(job_id="j1"), runid="r1")
    watched.show()
    assert [kind for kind, _ in watched.told] == ["run", "job"]
    watched.told.clear()
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="r1")
    watched.emit("job.created", Job(job_id="j1", shots_requested=5), runid="r1")
    watched.show()
    assert watched.told == []
    watched.emit("job.failed", Job(job_id="j1"), runid="r1")
    watched.find("opened")
    watched.show()
    assert [kind for kind, _ in watched.told] == ["job", "finding"]


@pytest.mark.parametrize("harm", ["deleted", "older", "damaged", "foreign", "another log", "ahead of the log"])
def test_views_are_made_anew_from_the_log(watched, harm: str) -> None:
    for number in range(3):
        watched.emit("job.created", Job(job_id=f"j{number}"))
    watched.find("opened")
    before = watched.rows(JOBS, JobRow)
    watched.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if harm == "another log":
        watched.log.move_cursors({"log-id": b"another"})
    elif harm == "ahead of the log":
        watched.store.connection.execute("UPDATE positions SET offset = 1000")
    elif harm == "older":
        watched.store.connection.execute("PRAGMA user_version = 0")
    watched.store.close()
    if harm == "deleted":
        watched.path.unlink()
    elif harm == "damaged":
        watched.path.write_bytes(watched.path.read_bytes()[:9000] + b"\0" * 40_000)
    elif harm == "foreign":
        watched.path.unlink()
        sqlite3.connect(watched.path).execute("CREATE TABLE notes (text)").connection.close()
    watched.open()
    assert watched.rows(JOBS, JobRow) == before
    assert len(watched.rows(FINDINGS, FindingRow)) == 1
    assert watched.path.stat().st_mode & 0o077 == 0


def test_what_nothing_changed_for_long_goes_and_open_findings_stay(watched) -> None:
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="old")
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="alive")
    watched.find("opened", "open")
    watched.find("opened", "ended")
    watched.find("closed", "ended", transition=1)
    watched.show()
    watched.clock.advance_seconds(31 * DAY / SECOND)
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="alive")
    watched.show()
    watched.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="alive")
    assert [row.run_id for row in watched.rows(RUNS, RunRow)] == ["alive"]
    assert [row.run_id for row in watched.rows(SERIES, SeriesRow)] == ["alive"]
    assert watched.store.connection.execute("SELECT count(DISTINCT series) FROM points").fetchone() == (1,)
    assert [row.finding_id for row in watched.rows(FINDINGS, FindingRow)] == ["open"]


def test_rows_over_the_bound_go_the_oldest_first(watched, monkeypatch) -> None:
    small = [table if table != JOBS else type(JOBS)("jobs", JOBS.columns, 10, 5) for table in (RUNS, JOBS)]
    monkeypatch.setattr("qml_daemon.views.retention.TABLES", small)
    for number in range(25):
        watched.emit("job.created", Job(job_id=f"j{number:02}"))
        watched.clock.advance_seconds(61)
        watched.show()
    names = [row.job_id for row in watched.rows(JOBS, JobRow)]
    assert names == [f"j{number:02}" for number in range(24, 14, -1)]


def test_types_that_nobody_knows_are_passed_over(watched) -> None:
    event = watched.event("tick", MetricLogged())
    strange = Event(
        id="1", source="x", type="com.example.other", time=1, partitionkey="iris", project="iris", context=event.context,
        data=MetricLogged(),
    )  # fmt: skip
    assert type_name("tick") != strange.type
    watched.log.append([strange])
    assert watched.rows(RUNS, RunRow) == []
    assert watched.follower.stats().consumers["views"].passed_over == 0
