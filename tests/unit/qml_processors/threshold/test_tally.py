import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_processors.base import Finding
from qml_processors.threshold.state import rule_id, subject_of
from qml_processors.threshold.tally import JOBS_KEPT, PARTS
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules import Rules, ThresholdRule

JOB_COST = ThresholdRule(name="DearJob", kind="cost", per="job", currency="EUR", above=5.0)
RUN_COST = ThresholdRule(name="DearRun", kind="cost", currency="EUR", above=10.0)
DAY_COST = ThresholdRule(name="DearDay", kind="cost", per="project", currency="EUR", above=10.0, window="1d")
FAILURES = ThresholdRule(name="Failures", kind="count", event="job.failed", per="project", above=2, window="1h")
BUSY = ThresholdRule(name="Busy", kind="rate", event="job.created", per="project", above=2.0, window="5m")
IDLE = ThresholdRule(name="Idle", kind="rate", event="job.completed", per="project", below=1.0, window="5m")


def test_a_job_over_its_bound_opens_and_the_next_one_under_it_closes(stream, said, euros):
    run = stream(JOB_COST)
    (opened,) = run.job("billed", "j1", 1, cost=euros(final="6.50"))
    assert opened.annotations["summary"] == "job cost in EUR is 6.5, above 5 (run r1, last job j1)"
    assert opened.annotations["job"] == "j1"
    assert opened.labels == {"metric": "job cost in EUR", "run": "r1", "project": "iris"}
    assert said(run.job("billed", "j2", 2, cost=euros(final="1"))) == [("closed", "DearJob/above")]


def test_the_bill_stands_over_the_reservation_and_that_over_the_estimate_in_any_order(stream, said, euros):
    run = stream(RUN_COST)
    assert said(run.job("created", "j1", 1, cost=euros(estimated="9"))) == []
    assert said(run.job("queued", "j1", 2, cost=euros(estimated="9", reserved="11"))) == [("opened", "DearRun/above")]
    assert said(run.job("billed", "j1", 3, cost=euros(final="4"))) == [("closed", "DearRun/above")]
    assert said(run.job("running", "j1", 4, cost=euros(reserved="11"))) == []


def test_costs_of_a_run_add_up_and_other_runs_and_currencies_do_not(stream, said, euros):
    run = stream(RUN_COST)
    found = []
    for number in range(10):
        found += run.job("billed", f"j{number}", number + 1, cost=euros(final="1.0"))
        found += run.job("billed", f"k{number}", number + 1, cost=euros(final="1.0"), run="r2")
        found += run.job("billed", f"u{number}", number + 1, cost=euros("USD", final="9"))
        found += run.job("completed", f"n{number}", number + 1)
    assert said(found) == []
    assert said(run.job("billed", "last", 20, cost=euros(final="0.1"))) == [("opened", "DearRun/above")]


def test_decimal_amounts_do_not_break_a_bound_by_rounding(stream, said, euros):
    run = stream(msgspec.structs.replace(RUN_COST, above=1.0))
    assert said([one for n in range(10) for one in run.job("billed", f"j{n}", n + 1, cost=euros(final="0.1"))]) == []


def test_a_projects_cost_is_that_of_all_its_runs_and_leaves_the_window(stream, said, euros):
    run = stream(DAY_COST)
    assert said(run.job("billed", "j1", HOUR, cost=euros(final="6"))) == []
    (opened,) = run.job("billed", "j2", 2 * HOUR, cost=euros(final="6"), run="r2")
    assert opened.annotations["summary"] == "project cost in EUR in 1d is 12, above 10 (project iris, last job j2)"
    assert said(run.job("billed", "j3", 26 * HOUR, cost=euros(final="1"), run=None)) == [("closed", "DearDay/above")]


def test_a_count_takes_each_job_once_however_many_tell_of_it(stream, said):
    run = stream(FAILURES)
    for time in range(1, 20):
        assert said(run.job("failed", f"j{time % 2}", time)) == []
    assert said(run.job("completed", "j2", 20)) == []
    assert said(run.job("failed", "j3", 21, run="r7")) == [("opened", "Failures/above")]


def test_a_window_without_events_is_empty_by_the_logs_clock(stream, said):
    run = stream(FAILURES)
    for number in range(3):
        run.job("failed", f"j{number}", number + 1)
    assert said(run.until(HOUR)) == []
    found = run.until(3 + HOUR)
    assert said(found) == [("closed", "Failures/above")]
    assert (found[0].reason, found[0].values["value"]) == ("bound kept", 0.0)


def test_events_that_come_late_count_where_they_belong(stream, said):
    run = stream(FAILURES)
    run.job("failed", "new", 10 * HOUR)
    for number in range(5):
        assert said(run.job("failed", f"old{number}", number + 1, ingested=10 * HOUR + number)) == []


def test_an_emitters_clock_in_the_future_does_not_empty_a_window(stream, said):
    run = stream(FAILURES)
    run.job("failed", "j1", 300 * DAY, ingested=1)
    run.job("failed", "j2", 2)
    assert said(run.job("failed", "j3", 3)) == [("opened", "Failures/above")]


def test_a_rate_is_per_minute_by_the_emitters_time(stream, said):
    run = stream(BUSY)
    found = [one for n in range(11) for one in run.job("created", f"j{n}", n * 20 * SECOND, ingested=HOUR)]
    assert said(found) == [("opened", "Busy/above")]
    assert found[0].values == {"bound": 2.0, "value": 2.2}
    assert (
        found[0].annotations["summary"] == "job.created per minute in 5m is 2.2, above 2 (project iris, last job j10)"
    )


def test_a_rate_below_its_bound_is_claimed_only_after_a_whole_window(stream, said):
    run = stream(IDLE)
    assert said(run.job("completed", "j1", 0)) == []
    assert said(run.job("completed", "j2", 4 * MINUTE)) == []
    assert said(run.job("completed", "j3", 6 * MINUTE)) == [("opened", "Idle/below")]


def test_no_events_at_all_are_a_rate_of_zero_a_window_later(stream, said):
    run = stream(IDLE)
    for number in range(20):
        assert said(run.job("completed", f"j{number}", number * 30 * SECOND)) == []
    last = 19 * 30 * SECOND
    assert said(run.until(last + 5 * MINUTE - 1)) == []
    assert said(run.until(last + 5 * MINUTE)) == [("opened", "Idle/below")]
    assert said(run.until(last + DAY)) == []


def test_a_sum_may_last_before_it_opens_and_after_it_is_kept(stream, said):
    run = stream(msgspec.structs.replace(FAILURES, for_="10m", keep_firing_for="5m"))
    for number in range(3):
        assert said(run.job("failed", f"j{number}", number + 1)) == []
    assert said(run.until(3 + 10 * MINUTE)) == [("opened", "Failures/above")]
    assert said(run.until(3 + HOUR + 5 * MINUTE - 1)) == []
    assert said(run.until(3 + HOUR + 5 * MINUTE)) == [("closed", "Failures/above")]


def test_ends_of_runs_count_by_status(stream, said):
    run = stream(
        ThresholdRule(
            name="Crashes", kind="count", event="run.ended", status="failed", per="project", above=1, window="1h"
        )
    )
    assert said(run.end(1, "failed") + run.end(2, "completed", "r2") + run.end(3, "cancelled", "r3")) == []
    assert said(run.end(4, "failed", "r4")) == [("opened", "Crashes/above")]


def test_metrics_of_a_run_count_and_its_end_closes(stream, said):
    run = stream(ThresholdRule(name="Chatty", kind="count", event="metric.logged", above=3))
    assert said([one for n in range(4) for one in run.metric(n + 1, loss=0.1)]) == [("opened", "Chatty/above")]
    run.end(5)
    found = run.until(5 + MINUTE)
    assert said(found) == [("closed", "Chatty/above")]
    assert found[0].reason == "run ended"


def test_after_the_end_of_a_run_no_events_are_expected(stream, said):
    run = stream(ThresholdRule(name="Slow", kind="rate", event="metric.logged", below=1.0, window="30s"))
    for number in range(60):
        assert said(run.metric(number * SECOND, loss=0.1)) == []
    run.end(60 * SECOND)
    assert said(run.until(HOUR)) == []


def test_a_rule_that_is_gone_or_counts_something_else_closes_and_starts_anew(stream, said):
    for after in ([], [msgspec.structs.replace(FAILURES, event="job.cancelled")]):
        run = stream(FAILURES)
        for number in range(3):
            run.job("failed", f"j{number}", number + 1)
        run.rules = Rules(threshold=after)
        assert said(run.until(4)) == [("closed", "Failures/above")]
        assert run.states[""].tallies == {}


def test_the_sums_of_a_project_stay_when_an_end_without_a_run_comes(stream, said):
    run = stream(FAILURES)
    run.job("failed", "j1", 1)
    run.end(2, run=None)
    run.until(2 * MINUTE)
    run.job("failed", "j2", 3 * MINUTE)
    assert said(run.job("failed", "j3", 4 * MINUTE)) == [("opened", "Failures/above")]


def test_what_is_remembered_is_bounded(stream, euros):
    run = stream(DAY_COST, FAILURES)
    for number in range(3 * JOBS_KEPT):
        run.job("failed", f"j{number}", number * MINUTE, cost=euros(final="0.001"))
    for tally in run.states[""].tallies.values():
        assert len(tally.jobs) == JOBS_KEPT
        assert len(tally.buckets) <= PARTS
    assert sum(run.states[""].tallies["DearDay"].buckets.values()) == pytest.approx(0.768)


def test_without_rules_on_sums_nothing_is_summed_and_all_is_forgotten(stream):
    run = stream(ThresholdRule(name="Low", metric="acc", below=0.5))
    run.job("created", "j1", 1)
    assert [state.tallies for state in run.states.values()] == [{}, {}]
    run.until(1 + 2 * DAY)
    assert run.states == {}


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["failed", "completed"])), max_size=30), st.integers(0, 4))
def test_a_count_of_a_run_is_the_number_of_its_jobs_whatever_the_order(stream, seen, bound):
    run = stream(ThresholdRule(name="Failures", kind="count", event="job.failed", above=bound))
    found = [one for n, (job, status) in enumerate(seen) for one in run.job(status, f"j{job}", n + 1)]
    failed = {job for job, status in seen if status == "failed"}
    assert bool(found) == (len(failed) > bound)


RULES = [
    JOB_COST, RUN_COST, DAY_COST, FAILURES, BUSY, IDLE,
    msgspec.structs.replace(IDLE, name="Slow", for_="3m", keep_firing_for="2m"),
    ThresholdRule(name="Gone", metric="acc", absent="10m"), ThresholdRule(name="Low", metric="acc", below=0.5, for_="2m"),
]  # fmt: skip
STEPS = st.tuples(
    st.sampled_from(["failed", "completed", "created", "billed", "metric", "end", "rules"]),
    st.integers(0, 20), st.integers(0, 8 * MINUTE), st.integers(0, 10 * MINUTE), st.sampled_from(["r1", "r2"]),
)  # fmt: skip


@given(st.lists(STEPS, max_size=40))
def test_whatever_comes_transitions_alternate_and_the_timers_run_dry(stream, euros, steps):
    run, now, found = stream(*RULES), HOUR, []
    for kind, number, pause, lag, name in steps:
        now += pause
        if kind == "metric":
            found += run.metric(now - lag, ingested=now, run=name, acc=number / 20)
        elif kind == "end":
            found += run.end(now, run=name)
        elif kind == "rules":
            run.rules = Rules(threshold=RULES[number % len(RULES) :])
        else:
            cost = euros(final=str(number)) if kind == "billed" else None
            found += run.job(kind, f"j{number}", now - lag, cost=cost, run=name, ingested=now)
    found += run.until(now + 10 * DAY)
    assert run.states == {}
    is_open = set()
    for one in found:
        if isinstance(one, Finding):
            address = (one.labels.get("run"), one.rule)
            assert (address in is_open) == (one.transition == "closed")
            is_open ^= {address}
    assert not is_open


def test_rules_say_what_they_bound():
    assert [subject_of(rule) for rule in RULES[:5]] == [
        "job cost in EUR", "run cost in EUR", "project cost in EUR in 1d", "count of job.failed in 1h",
        "job.created per minute in 5m",
    ]  # fmt: skip
    assert rule_id(RULES[7]) == "Gone/absent"
