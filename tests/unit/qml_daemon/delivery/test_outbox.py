"""The outbox: retries, pace, digests, and what is given up."""

import threading

import pytest

from qml_daemon.notifiers.base import Pace
from quantum_mlops.errors import LogError, PermanentError, RetryableError

QUICK = {"group_wait": "0s", "group_interval": "1s", "group_by": ["backend"]}


def open_findings(bench, *names: str) -> None:
    for name in names:
        bench.find("opened", name, labels={"backend": name})


def test_what_may_succeed_later_is_tried_again_after_an_exponential_delay(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [RetryableError("500: busy")] * 3
    open_findings(bench, "a")
    waited, told = 0.0, bench.step()
    while not told:
        waited += 0.25
        told = bench.step(0.25)
    assert told == ["team (first notification) firing:a"]
    assert 3.5 <= waited <= 7.5  # 1 + 2 + 4 s, each between its half and the whole
    assert bench.dispatcher.stats().outbox.retried == 3


def test_retry_after_is_never_undercut(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [RetryableError("429", retry_after_seconds=30)]
    open_findings(bench, "a")
    bench.step()
    assert bench.step(29.9) == []
    assert bench.step(0.1) == ["team (first notification) firing:a"]


def test_what_waited_together_goes_out_as_one_message(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [RetryableError("429", retry_after_seconds=30)]
    open_findings(bench, "a")
    bench.step()
    open_findings(bench, "b", "c")
    bench.step(5)
    bench.find("closed", "a", labels={"backend": "a"})
    bench.step(5)
    assert bench.notifier.messages == []
    bench.step(20)
    (message,) = bench.notifier.messages
    assert [[f"{alert.status}:{alert.finding_id}" for alert in one.alerts] for one in message] == [
        ["firing:b"],
        ["firing:c"],
        ["resolved:a"],
    ]
    assert bench.dispatcher.stats().outbox.sent == 4


def test_a_pace_is_kept_and_what_waits_for_it_is_told_together(make_bench) -> None:
    bench = make_bench(pace=Pace(rate=1.0, burst=1), **QUICK)
    open_findings(bench, "a")
    assert len(bench.step()) == 1
    open_findings(bench, "b")
    assert bench.step(0.5) == []
    open_findings(bench, "c")
    assert bench.step(0.4) == []
    assert len(bench.step(0.1)) == 2
    assert len(bench.notifier.messages) == 2


def test_what_cannot_succeed_is_given_up_at_once_and_says_why(make_bench, caplog) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.notifier.errors = [PermanentError("404: no_service")]
    open_findings(bench, "a")
    bench.step()
    assert bench.step(3600) == []
    rows = bench.store._connection.execute("SELECT status, attempts, error FROM outbox").fetchall()
    assert rows == [("failed", 1, "404: no_service")]
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert line == (
        "1 notifications to team/fake given up: 404: no_service; after mending it try: quantum-mlops receivers test"
    )


def test_after_a_day_a_notification_is_given_up(make_bench, caplog) -> None:
    bench = make_bench(repeat_interval="1w", **QUICK)
    bench.notifier.errors = [RetryableError("500")] * 10_000
    open_findings(bench, "a")
    bench.step()
    for _ in range(25):
        bench.step(3600)
    assert (bench.outbox.stats().failed, bench.outbox.stats().waiting) == (1, 0)
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert line.startswith("1 notifications to team/fake given up: not delivered within a day: 500; after mending")


def test_retries_survive_a_restart_with_their_time(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.notifier.errors = [RetryableError("429", retry_after_seconds=30)]
    open_findings(bench, "a")
    bench.step()
    bench.restart()
    assert bench.step(29) == []
    assert bench.step(1) == ["team (first notification) firing:a"]


def test_a_clock_that_was_set_back_does_not_hold_a_lane_for_ever(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [RetryableError("500")]
    open_findings(bench, "a")
    bench.step()
    assert bench.step(-86_400) == ["team (first notification) firing:a"]


def test_what_waits_for_a_receiver_that_is_gone_is_given_up(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.notifier.errors = [RetryableError("500")]
    open_findings(bench, "a")
    bench.step()
    bench.dispatcher.close()
    bench.open()
    del bench.outbox._lane_of["team", "fake"]
    bench.outbox.load()
    (row,) = bench.store._connection.execute("SELECT status, error FROM outbox").fetchall()
    assert row == ("failed", "the receiver is no longer configured")


def test_a_receiver_that_hangs_holds_nobody_up(make_bench) -> None:
    bench = make_bench(**QUICK)
    release = threading.Event()
    send = bench.notifier.send
    bench.notifier.send = lambda notifications: (release.wait(20), send(notifications))
    open_findings(bench, "a")
    bench.dispatcher.step()
    open_findings(bench, "b")
    bench.clock.advance_seconds(1)
    bench.dispatcher.step()
    assert bench.dispatcher.stats().outbox.waiting == 2
    release.set()
    bench.step()
    bench.step()
    assert [one.alerts[0].finding_id for message in bench.notifier.messages for one in message] == ["a", "b"]


def test_a_file_that_fails_while_a_message_is_handed_over_loses_nothing(make_bench, monkeypatch) -> None:
    bench = make_bench(**QUICK)
    open_findings(bench, "a")
    read = bench.store.read_bodies

    def fail(numbers: list[int]) -> list[bytes]:
        monkeypatch.setattr(bench.store, "read_bodies", read)
        raise LogError("the disk is ill")

    monkeypatch.setattr(bench.store, "read_bodies", fail)
    with pytest.raises(LogError):
        bench.step()
    assert bench.step() == ["team (first notification) firing:a"]


def test_a_bug_in_a_notifier_is_retried_and_ends_nothing(make_bench, caplog: pytest.LogCaptureFixture) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [ZeroDivisionError()]  # type: ignore[list-item]
    open_findings(bench, "a")
    assert bench.step() == []
    assert bench.step(2) == ["team (first notification) firing:a"]
    assert "the notifier of team failed" in caplog.text


def test_settled_notifications_are_pruned(make_bench) -> None:
    bench = make_bench(**QUICK)
    open_findings(bench, "a")
    bench.step()
    with bench.store.transaction():
        assert bench.store.prune(bench.clock()) == 0
        assert bench.store.prune(bench.clock() + 1) == 1
