import msgspec
import pytest

from qml_processors.base import Forget
from qml_processors.summaries import END_GRACE, METRICS_KEPT, SILENT_AFTER, SummariesProcessor
from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.rules import Rules, SummariesRule
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import Context, Event, Job, MetricLogged, RunEnded, ShotsMeasured, type_name

RULES = Rules()


def event(short, data, time=0, run="r1", project="iris"):
    return Event(
        id=f"{time:016x}", source="s", type=type_name(short), time=time, partitionkey=project, project=project,
        context=Context(runid=run), ingestedtime=time, data=data,
    )  # fmt: skip


def metric(time=0, **values):
    return event("metric.logged", MetricLogged(values=values), time)


def test_an_event_touches_its_run_its_project_and_its_backend():
    keys = SummariesProcessor().keys
    assert keys(metric(1, loss=1.0)) == ("run/r1", "project")
    assert keys(event("job.created", Job(job_id="j", backend="ibm_hanoi"))) == (
        "run/r1",
        "project",
        "backend/ibm_hanoi",
    )
    assert keys(event("job.created", Job(job_id="j"))) == ("run/r1", "project")
    assert keys(event("metric.logged", MetricLogged(), run=None)) == ("project",)


def test_a_run_is_summed_up_a_minute_after_its_end_and_forgotten():
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    shots = ShotsMeasured(job_id="j", backend="b", circuit="c1:0", shots=1024)
    for happened in (
        metric(10, loss=3.0), metric(20, loss=1.0), event("shots.measured", shots, 30),
        event("run.ended", RunEnded(status="completed", duration_seconds=1.0), 40), metric(50, loss=2.0),
    ):  # fmt: skip
        assert list(processor.apply(state, happened, RULES)) == []
    assert processor.next_timer(state, RULES) == 40 + END_GRACE
    summary, forget = processor.on_timer(state, 40 + END_GRACE, RULES)
    assert (summary.kind, summary.start, summary.end, summary.labels) == (
        "run",
        10,
        40,
        {"run": "r1", "status": "completed"},
    )
    assert summary.counts == {"metric.logged": 3, "shots.measured": 1, "shots": 1024, "run.ended": 1}
    assert summary.values == {"loss.last": 2.0, "loss.min": 1.0, "loss.max": 3.0, "loss.mean": 2.0}
    assert isinstance(forget, Forget)


def test_windows_follow_the_logs_clock_and_run_dry():
    processor = SummariesProcessor()
    state = processor.open("project")
    now = 1_000 * MINUTE + 7 * SECOND
    processor.apply(state, metric(now, loss=1.0), RULES)
    due = processor.next_timer(state, RULES)
    assert now < due <= now + MINUTE
    (summary,) = processor.on_timer(state, due, RULES)
    assert (summary.kind, summary.end - summary.start, summary.end) == ("window", MINUTE, due)
    assert processor.next_timer(state, RULES) is None


def test_windows_of_different_projects_start_at_different_times():
    processor = SummariesProcessor()
    ends = set()
    for project in ("iris", "wine", "cars", "moon"):
        state = processor.open("project")
        processor.apply(state, event("metric.logged", MetricLogged(), 1_000 * MINUTE, project=project), RULES)
        ends.add(processor.next_timer(state, RULES))
    assert len(ends) > 1


def test_metrics_beyond_the_bound_are_counted_not_kept():
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    processor.apply(state, metric(1, **{f"m{number}": 1.0 for number in range(METRICS_KEPT + 3)}), RULES)
    assert len(state.metrics) == METRICS_KEPT
    assert state.counts["metrics_not_kept"] == 3


def test_a_run_that_was_killed_is_summed_up_after_a_day_and_forgotten():
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    processor.apply(state, metric(7, loss=1.0), RULES)
    due = processor.next_timer(state, RULES)
    assert due == 7 + SILENT_AFTER
    summary, forget = processor.on_timer(state, due, RULES)
    assert (summary.end, summary.labels) == (7, {"run": "r1", "status": "silent"})
    assert isinstance(forget, Forget)
    assert processor.next_timer(state, RULES) is None


@pytest.mark.parametrize("kind", ["queued", "running", "completed", "failed", "cancelled", "unknown", "billed"])
def test_what_a_provider_says_of_a_job_after_its_run_begins_no_run_that_falls_silent(kind):
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    late = event(f"job.{kind}", Job(job_id="j"), 9)
    assert [type(one) for one in processor.apply(state, late, RULES)] == [Forget]
    assert processor.next_timer(state, RULES) is None
    processor.apply(state, event("job.created", Job(job_id="j"), 10), RULES)
    assert processor.apply(state, late, RULES) == ()
    assert state.counts == {type_name("job.created"): 1, type_name(f"job.{kind}"): 1}
    window = processor.open("project")
    assert processor.apply(window, late, RULES) == ()


def test_a_summary_stays_far_below_the_size_of_an_event_whatever_the_names():
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    values = {f"{number:03}" + '"' * 200: 0.1234567890123456 for number in range(METRICS_KEPT)}
    processor.apply(state, metric(1, **values), RULES)
    summary, _ = processor.on_timer(state, processor.next_timer(state, RULES), RULES)
    assert len(msgspec.json.encode(summary)) < 60_000
    assert state.metrics == {}


def test_the_largest_floats_do_not_overflow_the_mean():
    processor = SummariesProcessor()
    state = processor.open("run/r1")
    for value in (1e308, 1.7e308, -1.7e308, 1e308):
        processor.apply(state, metric(1, x=value), RULES)
    summary, _ = processor.on_timer(state, processor.next_timer(state, RULES), RULES)
    assert summary.values["x.mean"] == pytest.approx(0.5e308)


def test_switched_off_it_counts_nothing():
    processor = SummariesProcessor()
    state = processor.open("project")
    processor.apply(state, metric(1, loss=1.0), Rules(summaries=SummariesRule(enabled=False)))
    assert processor.next_timer(state, RULES) is None


def test_a_newer_state_is_refused():
    with pytest.raises(StateTooNewError):
        SummariesProcessor().migrate(b"", 2)
