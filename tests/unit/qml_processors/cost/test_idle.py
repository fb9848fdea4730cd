import pytest

from quantum_mlops.clock import DAY, MINUTE


def said(found):
    return [(one.transition, one.rule, one.reason) for one in found]


OPENED = ("opened", "CostSpike/idle_session", None)


def test_an_idle_session_is_named_with_what_it_costs(house):
    watched = house()
    assert watched.session("idle", wall_seconds=900.0, idle_seconds=599.0) == []
    (opened,) = watched.session("idle", wall_seconds=1200.0, idle_seconds=900.0, cost="12.5")
    assert said([opened]) == [OPENED]
    assert opened.annotations["summary"] == "Session s-1 has been idle for 15 minutes"
    assert "It has cost 12.50 USD so far." in opened.annotations["description"]
    assert opened.labels == {"session": "s-1", "backend": "hanoi", "project": "iris", "cause": "an idle session"}


def test_an_unknown_cost_is_said_to_be_unknown(house):
    (opened,) = house().session("idle", idle_seconds=900.0)
    assert "What it costs is unknown." in opened.annotations["description"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda watched: watched.session("closed"), "the session was closed"),
        (lambda watched: watched.job("running", session_id="s-1"), "a job runs in it"),
        (lambda watched: watched.session("idle", idle_seconds=1.0), "in use again"),
        (lambda watched: watched.until(watched.now + DAY), "nothing heard of it for a day"),
        (lambda watched: watched.rule(idle_session="2h"), "rule changed"),
        (lambda watched: watched.rule(enabled=False), "rule changed"),
    ],
)
def test_what_closes_it(house, end, reason):
    watched = house()
    watched.session("idle", idle_seconds=900.0)
    assert said(end(watched)) == [("closed", "CostSpike/idle_session", reason)]


def test_what_is_older_than_the_last_word_says_nothing(house):
    watched = house()
    watched.session("closed")
    assert watched.session("idle", idle_seconds=900.0, time=watched.now - MINUTE) == []
    assert watched.session("idle", idle_seconds=900.0) == []


def test_a_silent_session_is_forgotten(house):
    watched = house()
    watched.session("opened")
    watched.until(watched.now + DAY)
    assert watched.states == {}
