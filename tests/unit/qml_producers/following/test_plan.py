"""Which job is asked when: back-off, minutes, pauses, refusals, bounds."""

import pytest

from qml_producers.following.pace import LONGEST_SECONDS, Pace, wait_seconds
from qml_producers.following.plan import REFUSALS
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND

RUNNING = Sight(status="running")


def gaps(desk, sight, count):
    found = []
    for _ in range(count):
        before = desk.at
        desk.see(sight)
        found.append(desk.at - before)
    return found


def test_a_job_is_asked_ever_less_while_nothing_changes_and_often_again_when_it_does(desk, wrapper):
    desk = desk(interval=5.0)
    desk.hear(wrapper().tell("created", 0))
    waits = gaps(desk, Sight(status="queued"), 150)
    assert waits[:5] == [5.0] * 5
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_SECONDS
    desk.see(RUNNING)
    assert gaps(desk, RUNNING, 2) == [5.0, 5.0]


def test_its_end_is_seen_a_twentieth_of_its_time_late_at_most(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper().tell("created", 0))
    for _ in range(40):
        began = desk.at
        desk.see(RUNNING)
        assert desk.at - began <= max(1.0, 0.05 * desk.at + 0.01)


def test_no_minute_has_more_calls_than_agreed(desk, wrapper):
    desk = desk(interval=1.0, calls=20)
    desk.hear(*(wrapper(f"j{number}").tell("created", 0) for number in range(50)))
    moments = []
    for _ in range(200):
        desk.see(RUNNING)
        moments.append(desk.at)
    assert all(after - before >= 60.0 for before, after in zip(moments, moments[20:], strict=False))


def test_providers_have_a_pace_each(desk, wrapper):
    desk = desk(calls=1)
    desk.hear(wrapper("a").tell("created", 0), wrapper("b", provider="braket").tell("created", 0))
    desk.see(RUNNING)
    assert desk.plan.next_look("ibm", desk.now, desk.at)[0] == 65.0
    assert desk.plan.next_look("braket", desk.now, desk.at)[0] == 5.0


def test_retry_after_holds_for_the_whole_provider_and_for_no_other(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper("a").tell("created", 0), wrapper("b").tell("created", 0))
    desk.hear(wrapper("c", provider="braket").tell("created", 0))
    key = desk.next()
    assert desk.plan.fail("ibm", key, 42.0, desk.at) == 42.0
    assert desk.plan.next_look("ibm", desk.now, desk.at)[0] == 43.0
    assert desk.plan.next_look("braket", desk.now, desk.at)[0] == 1.0


def test_without_a_word_on_when_the_pauses_double_up_to_five_minutes_and_end_with_an_answer():
    pace, at, pauses = Pace(60), 0.0, []
    for _ in range(11):
        pace.fail(at, None)
        pauses.append(pace.paused_until - at)
        at = pace.paused_until
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    pace.succeed()
    pace.fail(at, None)
    assert pace.paused_until - at == 1.0


@pytest.mark.parametrize(("said", "waited"), [(0.0, 0.0), (-5.0, 0.0), (1e9, 3600.0)])
def test_a_senseless_retry_after_does_no_harm(said, waited):
    pace = Pace(60)
    pace.fail(10.0, said)
    assert pace.next_call(10.0) == 10.0 + waited


def test_jobs_that_go_on_come_before_those_that_only_lack_a_bill(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper("done").tell("completed", 0), wrapper("open").tell("created", 1))
    desk.plan.next_look("ibm", desk.now, desk.at)
    desk.at += 1.0
    assert desk.next() == ("iris", "open")


def test_a_new_job_is_left_to_its_trainer_for_the_interval_and_then_lacks_its_bill_at_most(desk, wrapper):
    desk = desk(interval=10.0)
    desk.hear(wrapper().tell("created", 0))
    assert desk.plan.next_look("ibm", desk.now, desk.at)[0] == 10.0
    desk.at = 3.0
    desk.hear(wrapper().tell("completed", 3))
    assert desk.next() == ("iris", "j1")
    assert desk.at == 10.0


def test_a_job_that_is_no_news_is_asked_for_at_once_and_so_is_any_in_a_hurry(desk, wrapper):
    old, new = desk(interval=10.0), desk(interval=10.0)
    old.hear(wrapper().tell("created", 0))
    old.at = 60.0
    assert old.plan.next_look("ibm", old.now, old.at)[0] == 60.0
    new.plan.hurry()
    new.hear(wrapper().tell("created", 0))
    assert new.plan.next_look("ibm", new.now, new.at)[0] == 0.0


def test_a_job_whose_bill_never_comes_is_asked_for_two_days_and_then_forgotten(desk, wrapper, completed):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    looks = 0
    while len(desk.jobs):
        desk.see(completed())
        looks += 1
        desk.jobs.expire(desk.now)
    assert 2 * 86400 <= desk.at <= 2 * 86400 + 1800
    assert looks < 150
    assert desk.jobs.given_up == 0


def test_a_job_that_never_ends_is_given_up_after_a_fortnight(desk, wrapper):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    desk.at = 14 * 86400.0 - 1
    desk.jobs.expire(desk.now)
    assert len(desk.jobs) == 1
    desk.at += 1
    desk.jobs.expire(desk.now)
    assert (len(desk.jobs), desk.jobs.given_up) == (0, 1)


def test_beyond_the_limit_bills_go_first_then_the_oldest(desk, wrapper):
    desk = desk(limit=2)
    for name, status in (("done", "completed"), ("old", "created"), ("new", "created")):
        desk.hear(wrapper(name).tell(status, 0))
        desk.at += 1.0
    assert list(desk.jobs) == [("iris", "old"), ("iris", "new")]
    desk.hear(wrapper("newer").tell("created", 3))
    assert list(desk.jobs) == [("iris", "new"), ("iris", "newer")]
    assert desk.jobs.given_up == 2


def test_a_job_that_the_provider_does_not_know_is_lost_once_it_answers_for_others(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper("gone").tell("created", 0))
    for _ in range(REFUSALS + 2):
        assert desk.refuse() == []
    desk.hear(wrapper("there").tell("created", desk.at))
    desk.see(RUNNING)
    while True:
        key = desk.next()
        if key == ("iris", "gone"):
            break
        desk.plan.settle(key, RUNNING, [], desk.now, desk.at)
    told = desk.plan.refuse(key, "no such job", desk.now, desk.at)
    assert [(one.kind, one.data.status_text) for one in told] == [
        ("job.unknown", "no longer told to the follower: no such job")
    ]
    assert desk.plan.lose(key, desk.now)
    assert list(desk.jobs) == [("iris", "there")]


def test_an_ended_job_that_the_provider_does_not_know_is_let_go_of_in_silence(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper().tell("created", 0), wrapper().tell("completed", 1))
    assert [desk.refuse() for _ in range(REFUSALS)] == [[]] * REFUSALS
    assert len(desk.jobs) == 0
    assert desk.at < 3600


def test_refusals_wait_longer_and_longer(desk, wrapper):
    desk = desk(interval=1.0)
    desk.hear(wrapper().tell("created", 0))
    (job,) = desk.jobs.of("ibm").values()
    waits = []
    for job.refusals in range(1, 9):
        waits.append(wait_seconds(job, 1.0, desk.now))
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_a_clock_that_went_back_asks_at_the_least_interval(desk, wrapper):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    (job,) = desk.jobs.of("ibm").values()
    assert wait_seconds(job, 5.0, desk.now - 3600 * SECOND) == 5.0
