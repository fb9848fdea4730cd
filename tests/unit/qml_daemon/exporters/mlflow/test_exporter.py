"""The exporter on a server in memory: pace, pauses, refusals, memory, and what a new process knows."""

import itertools

from quantum_mlops.errors import RetryableError
from quantum_mlops.events import (
    Evidence,
    FindingChanged,
    Footprint,
    Job,
    MetricLogged,
    RunEnded,
    RunStarted,
    ShotsMeasured,
    SummaryMade,
)


def metric(bench, number=1, **context):
    return bench.event("metric.logged", MetricLogged(values={"loss": 1.0 / number}), step=number, **context)


def test_a_run_gets_at_most_one_call_a_second(bench):
    bench.take(*(metric(bench, n, runid=f"r{n % 3}") for n in range(1, 9000)))
    bench.run()
    for run in {run for _, _, run in bench.door.calls}:
        times = [time for time, _, of in bench.door.calls if of == run]
        assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))
    assert bench.left == 0
    assert sum(len(run["metrics"]) for run in bench.door.runs.values()) == 8999


def test_entries_gather_for_five_seconds_unless_there_are_many(bench):
    bench.take(metric(bench))
    began = bench.now
    bench.run(finish=False)
    assert bench.door.calls[0][0] - began == 5.0
    bench.door.calls.clear()
    bench.take(*(metric(bench, n) for n in range(2, 700)))
    began = bench.now
    bench.run(finish=False)
    assert bench.door.calls[0][0] - began <= 1.0


def test_while_the_server_is_away_the_pause_grows_to_a_minute_and_nothing_is_lost(bench):
    bench.door.before = bench.unreachable
    bench.take(metric(bench, runid="r1"), metric(bench, 2, runid="r2"))
    bench.run(seconds=3 * 3600.0)
    times = [time for time, _, _ in bench.door.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert max(pauses) <= 60.0
    assert (bench.left, bench.exporter.figures().retries) == (2, len(times))
    bench.door.before = lambda _: None
    bench.run(seconds=120)
    assert bench.left == 0


def test_a_server_that_is_away_for_long_fills_no_memory(bench):
    bench.door.before = bench.unreachable
    taken = 0
    while bench.exporter.has_room:
        bench.take(bench.event("metric.logged", MetricLogged(values={f"m{n}": 1.0 for n in range(1000)})))
        taken += 1000
    assert taken <= 51_000
    bench.run(seconds=10)
    assert not bench.exporter.has_room


def test_one_poisoned_entry_is_searched_out_and_left_behind(bench):
    bench.door.poison = "bad"
    events = [metric(bench, n) for n in range(1, 400)]
    events.insert(200, bench.event("metric.logged", MetricLogged(values={"bad": 1.0})))
    bench.take(*events)
    bench.run(seconds=600)
    figures = bench.exporter.figures()
    assert (figures.refused, bench.left) == (1, 0)
    assert "refused" in figures.last_refusal
    assert len(next(iter(bench.door.runs.values()))["metrics"]) == 399


def test_a_run_that_is_deleted_while_it_is_written_is_left_behind_and_others_go_on(bench):
    bench.door.add("mine")
    bench.take(metric(bench, mlflowrunid="mine"))
    bench.run()
    bench.door.runs["mine"]["deleted"] = True
    bench.take(metric(bench, 2, mlflowrunid="mine"), metric(bench, 3, mlflowrunid="mine"), metric(bench, runid="other"))
    bench.run()
    assert (bench.exporter.figures().refused, bench.left) == (2, 0)
    assert len(bench.door.runs) == 2


def test_an_error_of_one_batch_alone_does_not_stop_the_others(bench):
    def fail(kind):
        if kind == "write" and bench.door.calls[-1][2] == "made-0":
            raise RetryableError("INTERNAL_ERROR: 500")

    bench.door.before = fail
    bench.take(metric(bench, runid="ill"))
    bench.run(seconds=5)
    bench.take(*(metric(bench, n, runid="well") for n in range(1, 10)))
    bench.run(seconds=30)
    assert len(bench.door.runs["made-1"]["metrics"]) == 9
    assert bench.left == 1


def test_where_no_write_succeeds_at_all_an_error_never_costs_data(bench):
    def fail(kind):
        if kind == "write":
            raise RetryableError("INTERNAL_ERROR: disk full")

    bench.door.before = fail
    bench.take(metric(bench), metric(bench, 2))
    bench.run(seconds=6 * 3600.0)
    assert (bench.left, bench.exporter.figures().refused) == (2, 0)
    bench.door.before = lambda _: None
    bench.run(seconds=120)
    assert len(bench.door.runs["made-0"]["metrics"]) == 2


def test_a_new_process_finds_the_same_runs_and_repeats_nothing(bench):
    events = [bench.event("run.started", RunStarted(name="vqc", host="h")), metric(bench), metric(bench, 2)]
    bench.take(*events)
    bench.run()
    before = repr(bench.door.runs)
    bench.restart()
    bench.take(*events)
    bench.run()
    assert repr(bench.door.runs) == before
    assert [kind for _, kind, _ in bench.door.calls].count("create") == 1


def test_a_store_that_was_lost_finds_the_runs_by_their_tag(bench):
    bench.take(metric(bench))
    bench.run()
    bench.store.close()
    bench.path.unlink()
    bench.open()
    bench.take(metric(bench, 2))
    bench.run()
    assert len(bench.door.runs) == 1


def test_a_finding_and_a_summary_go_to_the_run_that_the_users_events_named_even_after_a_restart(bench):
    bench.door.add("mine")
    bench.take(metric(bench, mlflowrunid="mine"))
    bench.run()
    bench.restart()
    found = FindingChanged(
        finding_id="ab" * 16, transition=0, rule="Low", series="s", severity="critical", labels={"run": "r1"}
    )
    said = SummaryMade(series="iris/run/r1", start=1, end=2, labels={"run": "r1"}, values={"loss.last": 1.0})
    bench.take(bench.event("finding.opened", found, runid=None), bench.event("summary.run", said, runid=None))
    bench.run()
    run = bench.door.runs["mine"]
    assert "qml.finding.Low" in run["tags"]
    assert "qml.summary.loss.last" in {name for name, *_ in run["metrics"]}
    assert len(bench.door.runs) == 1


def test_a_finding_on_a_device_goes_to_the_runs_that_measured_it_and_to_the_devices_series(bench):
    measured = [bench.event("canary.measured", canary(), runid=f"r{n}") for n in range(2)]
    bench.take(*measured, metric(bench, runid="r0"), metric(bench, runid="r1"), metric(bench, runid="r2"))
    found = FindingChanged(
        finding_id="cd" * 16,
        transition=0,
        rule="CircuitDrift",
        series="s",
        severity="critical",
        labels={"backend": "hanoi"},
        evidence=Evidence(events=[event.key for event in measured]),
    )
    bench.take(bench.event("finding.opened", found, runid=None))
    bench.run()
    with_tag = [name for name, run in bench.door.runs.items() if "qml.finding.CircuitDrift" in run["tags"]]
    assert len(bench.door.runs) == 4
    assert len(with_tag) == 3


def canary():
    return ShotsMeasured(job_id="j", backend="hanoi", circuit="c1:x", footprint=Footprint(), shots=10, pub=0)


def test_the_status_of_a_run_of_ours_follows_and_the_users_is_left_alone(bench):
    bench.door.add("mine")
    for runid, asked in (("r1", None), ("r2", "mine")):
        bench.take(metric(bench, runid=runid, mlflowrunid=asked))
        ended = RunEnded(status="cancelled", duration_seconds=1.0)
        bench.take(bench.event("run.ended", ended, runid=runid, mlflowrunid=asked))
    bench.run()
    assert {run["end"] for name, run in bench.door.runs.items() if name != "mine"} == {"KILLED"}
    assert bench.door.runs["mine"]["end"] is None
    assert bench.door.runs["mine"]["tags"]["qml.status"] == "cancelled"


def test_users_that_track_elsewhere_are_named_without_credentials(bench):
    tags = {"mlflow.tracking_uri": "https://ann:secret@other.example.org"}
    bench.take(bench.event("run.started", RunStarted(name="vqc", tags=tags)))
    same = {"mlflow.tracking_uri": "http://localhost:5000/"}
    bench.take(bench.event("run.started", RunStarted(name="vqc", tags=same), runid="r2"))
    (note,) = bench.exporter.figures().notes
    assert "run iris/r1 tracks at https://other.example.org, the exporter sends to http://127.0.0.1:5000" in note


def test_a_thousand_jobs_on_one_backend_are_one_tag(bench):
    bench.take(*(bench.event("job.completed", Job(job_id=f"j{n}", backend="hanoi")) for n in range(1000)))
    assert bench.exporter.figures().waiting == 1
    bench.run()
    assert bench.door.runs["made-0"]["tags"]["qml.backend"] == "hanoi"
