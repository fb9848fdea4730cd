import pytest

from qml_daemon.dispatch.silences import KEPT_AFTER, StoredSilence
from quantum_mlops.clock import HOUR, SECOND
from quantum_mlops.config.matcher import parse_matcher


def silence(now, *, name="s1", matcher='rule="CircuitDrift"', hours=1.0):
    return StoredSilence(id=name, matchers=[parse_matcher(matcher)], starts=now, ends=now + int(hours * HOUR))


@pytest.fixture
def bench(make_bench):
    return make_bench(group_wait="30s", group_interval="5m", repeat_interval="4h")


def now(bench):
    return bench.clock()


def test_a_silenced_alert_is_told_when_the_silence_has_ended_and_it_still_fires(bench):
    bench.dispatcher.silences.put(silence(now(bench)), now(bench))
    bench.find("opened")
    bench.step()
    assert bench.step(31) == []
    assert bench.step(3000) == []
    assert len(bench.step(700)) == 1


def test_a_silenced_alert_that_ends_is_never_told(bench):
    bench.dispatcher.silences.put(silence(now(bench)), now(bench))
    bench.find("opened")
    bench.step()
    assert bench.step(31) == []
    bench.find("closed")
    assert bench.step(301) == []
    assert bench.step(9000) == []


def test_other_alerts_of_the_group_are_told_as_if_the_silenced_one_were_not_there(make_bench):
    bench = make_bench(group_wait="30s", group_by=["project"])
    bench.dispatcher.silences.put(silence(now(bench), matcher='rule="Other"'), now(bench))
    bench.find("opened", "f1")
    bench.find("opened", "f2", rule="Other")
    bench.step()
    told = bench.step(31)
    assert len(told) == 1
    assert "f2" not in told[0]


def test_a_silence_survives_a_restart_and_ends_when_it_is_expired(make_bench):
    bench = make_bench(on_disk=True, group_wait="30s")
    one = silence(now(bench))
    bench.dispatcher.silences.put(one, now(bench))
    bench.restart()
    bench.find("opened")
    bench.step()
    assert bench.step(31) == []
    ended = StoredSilence(id=one.id, matchers=one.matchers, starts=one.starts, ends=now(bench))
    bench.dispatcher.silences.put(ended, now(bench))
    assert len(bench.step(301)) == 1


def test_an_alert_told_before_its_silence_is_not_told_as_new_after_it(bench):
    bench.find("opened")
    bench.step()
    assert len(bench.step(31)) == 1
    bench.dispatcher.silences.put(silence(now(bench)), now(bench))
    assert bench.step(3600) == []
    assert bench.step(301) == []


def test_ended_silences_are_forgotten_after_days(bench):
    silences = bench.dispatcher.silences
    silences.put(silence(now(bench)), now(bench))
    bench.step((KEPT_AFTER + 2 * HOUR) / SECOND)
    silences.put(silence(now(bench), name="s2"), now(bench))
    assert [one.id for one in silences.list()] == ["s2"]
