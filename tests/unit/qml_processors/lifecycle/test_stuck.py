import msgspec
import pytest

from qml_processors.base import Forget
from qml_processors.lifecycle import JobsProcessor
from qml_processors.lifecycle.stuck import limit_of
from qml_processors.lifecycle.table import ENDED_KEPT, OPEN_KEPT
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules.lifecycle import LifecycleRule, StuckRule


@pytest.fixture
def quick(story):
    """Return `count` jobs, 20 s apart, that wait 10 to 19 s in the queue and run for 1 s."""

    def make(count):
        for number in range(count):
            at, wait = 20.0 * number, 10.0 + number % 10
            yield story.job(f"q{number}", "queued", at)
            yield story.job(f"q{number}", "running", at + wait)
            yield story.job(f"q{number}", "completed", at + wait + 1)

    return make


def test_without_history_the_cap_is_the_limit(jobs, story, transitions, start):
    series = jobs()
    series.feed(story.job("j1", "created", 0))
    assert series.until(start + DAY - 1) == []
    found = series.until(start + DAY)
    assert transitions(found) == [("opened", "JobStuck/created")]
    assert found[0].labels == {"backend": "hanoi", "project": "iris", "status": "created"}
    assert found[0].values == {
        "stuck_jobs": 1.0, "oldest_seconds": 86_400.0, "limit_seconds": 86_400.0, "earlier_jobs": 0.0,
    }  # fmt: skip
    assert found[0].annotations["summary"] == "hanoi: job j1 created, no further status received for 1 d"
    assert (
        "Too few ended jobs (0) say what is usual here; the limit is the cap of 1 d."
        in found[0].annotations["description"]
    )
    assert found[0].evidence == [("qml://lab/n/0", f"{1:016x}")]


def test_with_history_the_limit_is_learned_and_never_below_the_least(jobs, quick, story, transitions, start):
    series = jobs(stuck=StuckRule(margin=60.0))
    series.feed(*quick(100))
    series.feed(story.job("j1", "queued", 3000, run="vqc-7"))
    assert series.until(start + (3000 + 1139) * SECOND) == []
    found = series.until(start + (3000 + 1140) * SECOND)
    assert transitions(found) == [("opened", "JobStuck/queued")]
    assert (found[0].values["usual_seconds"], found[0].values["earlier_jobs"]) == (19.0, 100.0)
    assert found[0].annotations["description"] == (
        "Not received: any status after 'queued' since 2027-01-15T08:50:00Z (the log's clock). Of the last 100 ended jobs "
        "95% left 'queued' within 19 s (upper 95% confidence bound); the limit is 19 min. Look at the job on the "
        "provider's page, at the backend's queue, and whether the program that submitted it still runs and has asked for "
        "the result."
    )
    assert found[0].details == {"jobs": [{"job": "j1", "since": "2027-01-15T08:50:00Z", "run": "vqc-7"}]}
    assert limit_of(series.state.table, "queued", StuckRule()).length == 10 * MINUTE


@pytest.mark.parametrize("status", ["running", "unknown", "completed", "failed", "cancelled"])
def test_any_later_status_closes_it(jobs, story, transitions, start, status):
    series = jobs()
    series.feed(story.job("j1", "queued", 0))
    series.until(start + DAY)
    found = series.feed(story.job("j1", status, 90_000))
    assert (transitions(found), found[0].reason) == ([("closed", "JobStuck/queued")], f"job j1 is {status}")


def test_an_earlier_status_that_comes_later_closes_nothing(jobs, story, start):
    series = jobs()
    series.feed(story.job("j1", "queued", 0))
    series.until(start + DAY)
    assert series.feed(story.job("j1", "created", 1, lag=90_000)) == []


def test_many_stuck_jobs_are_one_finding_that_closes_with_the_last(jobs, story, transitions, start):
    series = jobs(stuck=StuckRule(queued="1h"))
    series.feed(story.job("j1", "queued", 0), story.job("j2", "queued", 60))
    found = series.until(start + 2 * HOUR)
    assert transitions(found) == [("opened", "JobStuck/queued"), ("updated", "JobStuck/queued")]
    assert found[1].annotations["summary"] == "hanoi: 2 jobs queued, no further status received for 1 h 1 min"
    assert "The configured limit is 1 h." in found[1].annotations["description"]
    assert series.feed(story.job("j1", "running", 7300)) == []
    assert transitions(series.feed(story.job("j2", "running", 7301))) == [("closed", "JobStuck/queued")]


def test_jobs_shipped_late_are_not_awaited_until_their_source_is_heard_of_live(jobs, story, transitions, start):
    series = jobs(stuck=StuckRule(created="1h"))
    series.feed(story.job("j1", "created", 0, lag=7200), story.job("x", "created", 7200, source="qml://other/n/0"))
    series.feed(story.job("x", "completed", 7201, source="qml://other/n/0"))
    assert series.until(start + 5 * HOUR) == []
    series.feed(story.job("j2", "created", 5 * 3600), story.job("j2", "completed", 5 * 3600 + 1))
    assert series.until(start + 6 * HOUR - 1) == []
    assert transitions(series.until(start + 6 * HOUR)) == [("opened", "JobStuck/created")]


def test_a_job_is_given_up_and_the_series_forgotten(jobs, story, transitions, start):
    series = jobs()
    series.feed(story.job("j1", "created", 0))
    found = series.until(start + 60 * DAY)
    assert transitions(found) == [("opened", "JobStuck/created"), ("closed", "JobStuck/created")]
    assert (found[1].reason, found[2]) == ("given up", Forget())
    assert series.processor.next_timer(series.state, series.rules) is None


def test_a_rule_that_goes_closes_at_once_and_one_that_comes_back_looks_again(jobs, story, transitions, start):
    series = jobs(stuck=StuckRule(created="1h"))
    series.feed(story.job("j1", "created", 0))
    series.until(start + 2 * HOUR)
    found = series.switch(LifecycleRule(stuck=StuckRule(enabled=False)))
    assert (transitions(found), found[0].reason) == ([("closed", "JobStuck/created")], "rule disabled")
    assert transitions(series.switch(LifecycleRule(stuck=StuckRule(created="1h")))) == [("opened", "JobStuck/created")]


def test_the_memory_is_bounded_and_what_was_left_out_is_counted(jobs, story, quick):
    series = jobs()
    series.feed(*(story.job(f"j{number}", "created", number) for number in range(OPEN_KEPT + 5)))
    table = series.state.table
    assert (len(table.open), table.overflow, "j15" in table.open, "j16" in table.open) == (
        OPEN_KEPT - 11,
        16,
        False,
        True,
    )
    series = jobs()
    series.feed(*quick(ENDED_KEPT + 300))
    table = series.state.table
    assert (len(table.ended), len(table.samples["queued"])) == (ENDED_KEPT, 192)
    before = series.state.tip.jobs + series.state.tip.pending_jobs
    series.feed(story.job("q0", "completed", 15, lag=9000))
    assert (series.state.table.too_late, series.state.tip.jobs + series.state.tip.pending_jobs) == (1, before)


def test_a_stuck_job_that_must_make_room_closes_its_finding(jobs, story, transitions, start):
    series = jobs(stuck=StuckRule(created="1h"))
    series.feed(story.job("j1", "created", 0))
    series.until(start + HOUR)
    found = series.feed(*(story.job(f"k{number}", "queued", 3600 + number) for number in range(OPEN_KEPT)))
    assert (transitions(found), found[0].reason) == ([("closed", "JobStuck/created")], "given up for want of room")


def test_a_full_series_fits_into_a_bundle(jobs, story, quick):
    series = jobs()
    series.feed(*quick(300))
    series.feed(*(story.job(f"c0ffee-{number:014x}", "queued", 6000 + number) for number in range(OPEN_KEPT)))
    assert len(msgspec.msgpack.encode(series.state)) < 24 * 1024


def test_a_canary_touches_its_backend_alone_and_other_events_nothing(story):
    processor = JobsProcessor()
    assert processor.keys(story.job("j", "created", 0, role="canary")) == ("backend/hanoi",)
    assert processor.keys(story.job("j", "created", 0)) == ("backend/hanoi", "project")
    assert processor.keys(story.job("j", "created", 0, backend=None)) == ("backend/unknown", "project")
