"""The dispatcher over time: who is told what, and when. Words and timers of Alertmanager."""

import pytest

from qml_daemon.dispatch.origin import LOG_ID
from qml_processors.transfer import ORIGIN
from quantum_mlops.errors import LogError, PermanentError
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.memory import MemoryLog

QUICK = {"group_wait": "0s", "group_interval": "1s"}


def test_by_default_a_group_waits_30_s_and_is_told_once(make_bench) -> None:
    bench = make_bench()
    bench.find("opened", "a")
    assert bench.step() == []
    bench.find("opened", "b", labels={"backend": "ibm_sherbrooke"})
    assert bench.step(29.9) == []
    assert bench.step(0.1) == ["team (first notification) firing:b firing:a"]
    assert bench.step(4 * 3600 - 1) == []


def test_what_still_fires_is_repeated_after_4_h(make_bench) -> None:
    bench = make_bench(group_wait="0s")
    bench.find("opened")
    assert bench.step() == ["team (first notification) firing:f1"]
    told = [bench.step(300) for _ in range(48)]
    assert told == [[]] * 47 + [["team (repeat interval elapsed) firing:f1"]]


def test_new_alerts_of_a_group_wait_for_its_interval(make_bench) -> None:
    bench = make_bench(group_wait="0s")
    bench.find("opened", "a")
    bench.step()
    bench.find("opened", "b", labels={"backend": "other"})
    assert bench.step(299) == []
    assert bench.step(1) == ["team (new alerts in the group) firing:b firing:a"]


def test_a_resolved_alert_is_told_and_then_forgotten(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.find("opened")
    bench.step()
    bench.find("closed", reason="recovered")
    assert bench.step(1) == ["team (all alerts resolved) resolved:f1"]
    stats = bench.dispatcher.stats()
    assert (stats.alerts, stats.groups) == (0, 0)
    assert bench.step(5 * 3600) == []


def test_what_opens_and_closes_before_group_wait_is_over_is_not_told(make_bench) -> None:
    bench = make_bench()
    bench.find("opened")
    bench.step()
    bench.find("closed")
    assert bench.step(30) == []
    assert bench.dispatcher.stats().alerts == 0


def test_what_closes_and_opens_again_between_two_flushes_is_not_told_again(make_bench) -> None:
    bench = make_bench(group_wait="0s")
    bench.find("opened", "a")
    bench.step()
    bench.find("closed", "a")
    bench.find("opened", "b")
    assert bench.step(300) == []
    bench.find("closed", "b")
    assert bench.step(300) == ["team (all alerts resolved) resolved:b"]


def test_two_findings_with_the_same_labels_are_one_alert_until_both_are_closed(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.find("opened", "a")
    bench.find("opened", "b")
    assert bench.step() == ["team (first notification) firing:b"]
    bench.find("closed", "a")
    assert bench.step(1) == []
    bench.find("closed", "b")
    assert bench.step(1) == ["team (all alerts resolved) resolved:b"]


def test_a_notice_is_told_once_and_never_resolved(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.find("notice", rule="ExperimentDecided", severity="info")
    assert bench.step() == ["team (notice) notice:f1"]
    assert bench.step(5 * 3600) == []


def test_an_update_changes_the_numbers_and_tells_nothing(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.find("opened", values={"hellinger": 0.1})
    bench.step()
    bench.find("updated", values={"hellinger": 0.3})
    assert bench.step(1) == []
    bench.find("opened", "g", labels={"backend": "other"})
    bench.step(1)
    alerts = {alert.finding_id: alert.values for alert in bench.notifier.messages[-1][0].alerts}
    assert alerts["f1"] == {"hellinger": 0.3}


def test_groups_are_told_apart(make_bench) -> None:
    bench = make_bench(group_by=["backend"], **QUICK)
    bench.find("opened", "a")
    bench.find("opened", "b", labels={"backend": "other"})
    assert sorted(bench.step() + bench.step()) == [
        "team (first notification) firing:a",
        "team (first notification) firing:b",
    ]


def test_a_history_that_is_over_is_not_told_when_it_is_read_in_one_go(make_bench) -> None:
    bench = make_bench(**QUICK)
    for number in range(700):
        bench.find("opened", f"f{number}")
        bench.find("closed", f"f{number}")
    bench.find("opened", "now")
    assert bench.step() + bench.step() + bench.step() == ["team (first notification) firing:now"]


@pytest.mark.parametrize("crash", ["begin", "decided", "settled", "committed"])
def test_a_crash_at_any_step_forgets_nothing_and_a_restart_tells_it_once(make_bench, crash: str) -> None:
    bench = make_bench(on_disk=True, **QUICK)

    class Crash(BaseException):
        pass

    def fault(step: str) -> None:
        if step == crash:
            bench.fault = lambda _: None
            raise Crash

    told: list[str] = []
    for change in ("opened", "closed"):
        bench.find(change)
        bench.fault = fault
        with pytest.raises(Crash):
            bench.step(1)
        bench.outbox.wait(iter(lambda: 5.0, None))
        bench.restart()
        told += bench.step() + bench.step(1)
    assert [line.split(" ")[-1] for line in told] == ["firing:f1", "resolved:f1"]


@pytest.mark.parametrize("crash", ["begin", "decided", "settled"])
def test_after_a_failed_transaction_the_same_dispatcher_goes_on(make_bench, crash: str) -> None:
    bench = make_bench(on_disk=True, **QUICK)

    def fault(step: str) -> None:
        if step == crash:
            bench.fault = lambda _: None
            raise LogError("the disk is full")

    bench.find("opened")
    bench.fault = fault
    with pytest.raises(LogError):
        bench.step()
    assert bench.step() == ["team (first notification) firing:f1"]


def test_a_crash_between_sending_and_storing_sends_again_with_the_same_id(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened")
    bench.dispatcher.step()
    bench.outbox.wait(iter(lambda: 5.0, None))
    bench.restart()
    bench.step()
    (first,), (second,) = bench.notifier.messages
    assert first.id == second.id


def test_a_clean_restart_sends_nothing_twice_and_keeps_the_timers(make_bench) -> None:
    bench = make_bench(on_disk=True, group_wait="30s")
    bench.find("opened")
    bench.step(10)
    bench.dispatcher.drain(1.0)
    bench.restart()
    assert bench.step(19.9) == []
    assert bench.step(0.1) == []  # group_wait began when the finding was read, at 10 s
    assert bench.step(10) == ["team (first notification) firing:f1"]
    bench.dispatcher.drain(1.0)
    bench.restart()
    assert bench.step(300) == []
    bench.find("closed")
    assert bench.step(300) == ["team (all alerts resolved) resolved:f1"]


def test_other_routes_after_a_restart_tell_the_new_receiver(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened")
    bench.step()
    bench.route = type(bench.route)(receiver="other", **QUICK)
    bench.restart()
    assert bench.step() == ["other (first notification) firing:f1"]


def test_another_log_at_the_same_place_starts_anew(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened")
    bench.step()
    bench.log = MemoryLog(clock=bench.clock)
    bench.restart()
    assert bench.step() == []
    assert bench.dispatcher.stats().alerts == 0
    bench.find("opened", "new")
    assert bench.step() == ["team (first notification) firing:new"]


def test_another_log_that_is_as_long_starts_anew(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened")
    bench.step()
    bench.log = MemoryLog(clock=bench.clock)
    bench.find("opened", "new")
    bench.restart()
    assert bench.step() == ["team (first notification) firing:new"]


def test_a_log_whose_end_a_power_loss_took_keeps_its_alerts_and_tells_what_is_found_again_once(make_bench) -> None:
    bench = make_bench(on_disk=True, group_by=["backend"], **QUICK)
    bench.find("opened", "a")
    bench.step()
    bench.find("opened", "b", labels={"backend": "other"})
    assert bench.step(1) == ["team (first notification) firing:b"]
    name = bench.log.cursor(LOG_ID)
    bench.log = MemoryLog(clock=bench.clock)  # the same log, without the finding b
    bench.log.move_cursors({LOG_ID: name})
    bench.numbers.clear()
    bench.find("opened", "a")
    bench.restart()
    assert bench.step(1) == []
    assert bench.dispatcher.stats().alerts == 2
    bench.find("opened", "b", labels={"backend": "other"})
    assert bench.step(1) == []
    bench.find("closed", "b", labels={"backend": "other"})
    assert bench.step(1) == ["team (all alerts resolved) resolved:b"]


def test_a_log_that_was_filled_from_the_one_before_is_gone_on_with(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened", "a")
    bench.step()
    bench.find("opened", "b", labels={"backend": "other"})
    before, bench.log = bench.log, MemoryLog(3, clock=bench.clock)
    found = [record.event for record in before.read(Stream.FINDINGS, 0, 0, 9)]
    bench.log.commit(2, Commit(findings=found, watermark=b""))
    read = {f"dispatcher/findings/{partition}": (partition // 2).to_bytes(8, "big") for partition in range(3)}
    bench.log.move_cursors({ORIGIN: before.cursor(LOG_ID), **read})
    bench.restart()
    [message] = bench.step(1)
    assert "firing:b" in message
    assert bench.dispatcher.stats().alerts == 2
    assert bench.step(1) == []


def test_an_outbox_that_kept_no_id_of_its_log_is_taken_over(make_bench) -> None:
    bench = make_bench(on_disk=True, **QUICK)
    bench.find("opened")
    bench.step()
    bench.store._connection.execute("DROP TABLE origin")
    bench.restart()
    assert bench.step(1) == []
    assert bench.dispatcher.stats().alerts == 1
    bench.find("closed")
    assert bench.step(1) == ["team (all alerts resolved) resolved:f1"]


def test_the_log_learns_how_far_the_findings_are_read(make_bench) -> None:
    bench = make_bench()
    bench.find("opened")
    bench.find("closed")
    bench.step()
    assert bench.log.cursor("dispatcher/findings/0") == (2).to_bytes(8, "big")


def test_a_refused_notification_is_counted_and_the_alert_is_told_again_when_due(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.notifier.errors = [PermanentError("403: invalid_token")]
    bench.find("opened")
    assert bench.step() == []
    assert bench.dispatcher.stats().outbox.failed == 1
    assert bench.step(4 * 3600) == ["team (repeat interval elapsed) firing:f1"]


def test_closing_what_was_never_seen_to_open_changes_nothing(make_bench) -> None:
    bench = make_bench(**QUICK)
    bench.find("closed")
    assert bench.step() == []
