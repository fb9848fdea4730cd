import pytest

from quantum_mlops.clock import DAY, HOUR, SECOND
from quantum_mlops.config.rules.lifecycle import FailuresRule, LifecycleRule, QueueObjective

PROMPT = QueueObjective(name="Prompt", queue_seconds=60, target=0.95)


@pytest.fixture
def ended(story):
    """Return jobs that ended, 60 s apart; `wait` is the provider's queue time in seconds."""

    def make(count, first=0.0, *, status="completed", code=None, wait=None, **more):
        for number in range(count):
            at = first + 60.0 * number
            times = None if wait is None else {"queued": at - wait, "started": at}
            yield story.job(f"{status}-{at}", status, at, code=code, times=times, **more)

    return make


def test_a_backend_whose_jobs_begin_to_fail_is_found_with_the_codes(jobs, ended, transitions):
    series = jobs()
    assert series.feed(*ended(60)) == []
    found = series.feed(*ended(1, 3600, status="failed", code="8001"), *ended(3, 3660, status="failed", code="1517"))
    assert transitions(found) == [("opened", "JobFailureRate")]
    finding = found[0]
    assert finding.labels == {"backend": "hanoi", "project": "iris"}
    assert finding.annotations["summary"] == "hanoi: 4 of the last 4 jobs failed, mostly 1517"
    assert finding.annotations["description"] == (
        "Since 2027-01-15T09:00:00Z (the emitter's clock) 100% of the jobs failed. Failures in the history: 0 of 60 jobs; "
        "up to 5.0% counts as normal. Declared false alarms: 1 per 10000 observations, an observation is an ended job. "
        "Look at the codes, at the backend's status page, and at what was changed in the circuits since then."
    )
    assert finding.details == {"codes": [{"code": "1517", "jobs": "3"}, {"code": "8001", "jobs": "1"}]}
    assert (finding.values["failure_rate"], finding.values["history_jobs"]) == (1.0, 60.0)
    assert finding.evidence == [("qml://lab/n/0", f"{number:016x}") for number in range(61, 65)]
    closed = series.feed(*ended(40, 7200))
    assert (transitions(closed), closed[0].reason) == ([("closed", "JobFailureRate")], "recovered")


def test_failures_after_which_no_job_ended_for_a_day_are_closed_and_the_history_stays(jobs, ended, transitions, start):
    series = jobs()
    series.feed(*ended(60), *ended(5, 3600, status="failed"))
    found = series.until(start + 2 * DAY)
    assert (transitions(found), found[0].reason) == ([("closed", "JobFailureRate")], "no job ended for a day")
    assert series.feed(*ended(20, 200_000)) == []
    assert transitions(series.feed(*ended(5, 300_000, status="failed"))) == [("opened", "JobFailureRate")]
    found = series.switch(LifecycleRule(failures=FailuresRule(enabled=False)))
    assert (transitions(found), found[0].reason) == ([("closed", "JobFailureRate")], "rule disabled")


def test_a_better_end_that_comes_later_corrects_the_chart(jobs, story, ended, transitions):
    series = jobs()
    series.feed(*ended(60), *ended(5, 3600, status="failed"))
    assert series.state.failing
    ends = [3600.0 + 60 * number for number in range(5)]
    corrected = [story.job(f"failed-{at}", "completed", at, lag=900.0) for at in ends]
    found = series.feed(*corrected)
    assert transitions(found) == [("closed", "JobFailureRate")]
    assert (series.state.tip.failures, series.state.tip.jobs) == (0, 65)


def test_the_project_is_watched_only_where_asked_for(jobs, ended, transitions):
    events = [*ended(60), *ended(5, 3600, status="failed")]
    assert jobs("project").feed(*events) == []
    found = jobs("project", failures=FailuresRule(scopes=["project"])).feed(*events)
    assert transitions(found) == [("opened", "JobFailureRate")]
    assert found[0].labels == {"project": "iris"}


def test_a_fast_burn_pages_and_ends_by_itself(jobs, ended, transitions, start):
    series = jobs(queue=[PROMPT])
    assert series.feed(*ended(60, wait=10)) == []
    found = series.feed(*ended(60, 3600, wait=300))
    assert {output.rule for output in found} == {"QueueTimeSLO/Prompt"}
    steps = [(output.transition, output.severity, output.values["window_long_seconds"]) for output in found]
    assert steps == [
        ("opened", "warning", 3 * 86_400.0), ("updated", "critical", 6 * 3600.0), ("updated", "critical", 3600.0),
    ]  # fmt: skip
    page = found[1]
    assert page.values["burn_rate_long"] > 6
    assert page.labels == {"backend": "hanoi", "project": "iris", "objective": "Prompt"}
    assert page.annotations["summary"] == "hanoi: 26 of 86 jobs waited longer than 1 min in 6 h"
    assert page.annotations["description"].startswith(
        "In the last 6 h 26 of 86 jobs waited longer than 1 min; the objective allows 5.00%. Burn rate 6.05 over 6 h and "
    )
    over = series.until(start + 5 * DAY)
    assert (transitions(over), over[-1].reason) == ([("closed", "QueueTimeSLO/Prompt")], "budget burns slowly enough")


def test_a_slow_burn_is_a_ticket(jobs, ended, transitions, start):
    series = jobs(queue=[PROMPT])
    events = [
        event for number in range(48) for event in ended(1, 1800.0 * number, wait=300 if number % 10 == 9 else 10)
    ]
    found = series.feed(*events)
    assert transitions(found)[0] == ("opened", "QueueTimeSLO/Prompt")
    assert (found[0].severity, found[0].values["window_long_seconds"]) == ("warning", 3 * 86_400.0)


def test_waits_within_the_objective_or_too_few_jobs_burn_nothing(jobs, ended):
    assert jobs(queue=[PROMPT]).feed(*ended(100, wait=60)) == []
    assert jobs(queue=[PROMPT]).feed(*ended(9, wait=600)) == []


def test_a_job_counts_once_although_two_emitters_report_it(jobs, story):
    series = jobs(queue=[PROMPT])
    times = {"queued": 0, "started": 100}
    series.feed(
        story.job("j1", "running", 100, times=times),
        story.job("j1", "running", 101, times=times, source="follower"),
        story.job("j1", "completed", 130, times=times),
    )
    assert [sum(jobs for jobs, _ in ring.values()) for ring in series.state.budgets["Prompt"].rings] == [1, 1, 1]
    assert [sum(late for _, late in ring.values()) for ring in series.state.budgets["Prompt"].rings] == [1, 1, 1]


def test_an_objective_is_for_its_scope_backend_and_project(jobs, ended):
    events = list(ended(100, wait=600))
    other = QueueObjective(name="Other", queue_seconds=60.0, target=0.95, backend="kyiv")
    whole = QueueObjective(name="Whole", queue_seconds=60.0, target=0.95, scope="project", project="iris")
    assert jobs(queue=[other, whole]).feed(*events) == []
    found = jobs("project", queue=[other, whole]).feed(*events)
    assert {output.rule for output in found} == {"QueueTimeSLO/Whole"}
    assert found[0].labels == {"project": "iris", "objective": "Whole"}


def test_an_objective_that_goes_closes_its_finding_and_another_bound_starts_anew(jobs, ended, transitions, start):
    series = jobs(queue=[PROMPT])
    series.feed(*ended(100, wait=600))
    assert series.state.budgets["Prompt"].pair is not None
    found = series.switch(LifecycleRule())
    assert (transitions(found), found[0].reason) == ([("closed", "QueueTimeSLO/Prompt")], "rule removed")
    assert series.state.budgets == {}
    series.switch(LifecycleRule(queue=[QueueObjective(name="Prompt", queue_seconds=900.0, target=0.95)]))
    assert series.feed(*ended(20, 7000, wait=600)) == []
    assert series.until(start + 2 * HOUR + 2000 * SECOND) == []


def test_an_event_that_opens_was_foretold_and_those_before_it_were_not(jobs, ended):
    rule = {"queue": [PROMPT]}
    for series, events in (
        (jobs(), [*ended(60), *ended(6, 3600, status="failed")]),
        (jobs(**rule), [*ended(60, wait=10), *ended(40, 3600, wait=600)]),
    ):
        foretold, opened = [], []
        for event in events:
            foretold.append(series.processor.opens(series.state, event, series.rules))
            found = series.feed(event)
            opened.append(any(one.transition == "opened" for one in found))
        assert opened.count(True) == 1
        assert foretold[opened.index(True)]
        assert sum(foretold[30:60]) == 0, "a healthy backend's state is not encoded"
        assert sum(foretold[60:]) <= 5


def test_ends_that_come_out_of_order_are_told_apart_from_repeats(jobs, story, ended):
    series = jobs()
    series.feed(*ended(5))
    opens = lambda event: series.processor.opens(series.state, event, series.rules)  # noqa: E731
    again = story.job("completed-60.0", "completed", 60.0)
    assert not opens(again), "the same end, told twice"
    assert opens(story.job("earlier", "failed", 30.0)), "charts the kept jobs anew"
    assert not opens(story.job("last", "cancelled", 9000.0))
