"""The way to the log for everybody but the main loop: bounded, in one commit, answered afterwards."""

import asyncio
import threading

import pytest

from qml_daemon.ingest.inbox import Inbox, InboxClosedError, InboxFullError
from quantum_mlops.errors import EventTooLargeError, LogError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.memory import MemoryLog


def event(number: int, size: int = 1) -> Event:
    data = MetricLogged(values={f"v{index}": 0.5 for index in range(size)})
    return Event(id=f"{number}", source="s", type=type_name("metric.logged"), time=1, partitionkey="p", data=data)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(clock=lambda: 1)


def stored(log: MemoryLog) -> list[str]:
    return [record.event.id for record in log.read(Stream.EVENTS, 0, 0, 1000)]


def opened(**limits: int) -> Inbox:
    inbox = Inbox(**limits)
    inbox.open()
    return inbox


async def is_waiting(inbox: Inbox) -> None:
    while not inbox.stats().waiting:  # noqa: ASYNC110 - the inbox belongs to threads, it has no asyncio.Event
        await asyncio.sleep(0)


def test_all_that_waits_is_one_commit_in_order_and_told_after_it(log, monkeypatch) -> None:
    inbox, told = opened(), []
    append, commits = log.append, []
    monkeypatch.setattr(log, "append", lambda events, **more: (commits.append(len(events)), append(events)))
    for number in range(5):
        inbox.submit([event(2 * number), event(2 * number + 1)], lambda error: told.append((error, len(stored(log)))))
    assert (told, inbox.stats().waiting) == ([], 10)
    assert inbox.drain(log, 500) == 10
    assert commits == [10]
    assert told == [(None, 10)] * 5
    assert stored(log) == [str(number) for number in range(10)]
    assert inbox.drain(log, 500) == 0
    assert (inbox.stats().events, inbox.stats().commits, inbox.stats().waiting) == (10, 1, 0)


def test_a_round_takes_about_its_limit_and_the_rest_wakes_the_next(log) -> None:
    inbox = opened()
    for number in range(4):
        inbox.submit([event(number)] * 3, lambda error: None)
    assert inbox.drain(log, 4) == 6
    inbox.wait(60)  # returns at once: there is more
    assert inbox.drain(log, 500) == 6


def test_a_full_inbox_takes_nothing_more_but_one_large_submission_passes(log) -> None:
    inbox = opened(max_events=10, max_bytes=1000)
    inbox.submit([event(number) for number in range(50)], lambda error: None, 10)
    assert inbox.is_full()
    for size in (0, 991):
        with pytest.raises(InboxFullError, match="50 events wait"):
            inbox.submit([event(1)], lambda error: pytest.fail("told"), size)
    assert inbox.stats().refused_full == 2
    inbox.drain(log, 500)
    inbox.submit([event(1)], lambda error: None, 991)
    with pytest.raises(InboxFullError):
        inbox.submit([event(2)], lambda error: None, 10)
    assert not inbox.is_full()


def test_an_error_of_the_log_is_told_to_all_who_waited_and_to_the_main_loop(log, monkeypatch) -> None:
    inbox, told = opened(), []
    for number in range(3):
        inbox.submit([event(number)], told.append)
    failure = LogError("the disk is full")
    monkeypatch.setattr(log, "append", lambda events, **more: (_ for _ in ()).throw(failure))
    with pytest.raises(LogError, match="disk is full"):
        inbox.drain(log, 500)
    assert told == [failure] * 3
    assert inbox.drain(log, 500) == 0


def test_what_the_log_refuses_costs_only_its_own_submission(log) -> None:
    inbox, told = opened(), {}
    for number, size in enumerate((1, 9000, 1)):
        inbox.submit([event(number, size)], lambda error, number=number: told.update({number: error}))
    assert inbox.drain(log, 500) == 2
    assert stored(log) == ["0", "2"]
    assert isinstance(told.pop(1), EventTooLargeError)
    assert told == {0: None, 2: None}


def test_before_it_opens_and_after_it_closes_nothing_is_taken(log) -> None:
    inbox, told = Inbox(), []
    with pytest.raises(InboxClosedError):
        inbox.submit([event(1)], told.append)
    inbox.open()
    inbox.submit([event(1)], told.append)
    inbox.close()
    inbox.close()
    assert [type(error) for error in told] == [InboxClosedError]
    with pytest.raises(InboxClosedError):
        inbox.submit([event(1)], told.append)
    assert inbox.drain(log, 500) == 0


def test_a_submission_wakes_the_main_loop_at_once(log) -> None:
    inbox, awake = opened(), threading.Event()
    sleeper = threading.Thread(target=lambda: (inbox.wait(60), awake.set()))
    sleeper.start()
    inbox.submit([event(1)], lambda error: None)
    assert awake.wait(5)
    sleeper.join()
    inbox.drain(log, 1)
    inbox.wake()
    inbox.wait(60)


def test_a_coroutine_goes_on_after_the_commit_and_gets_its_error(log, monkeypatch) -> None:
    inbox = opened()

    async def send() -> int:
        waiting = asyncio.create_task(inbox.append([event(1)]))
        await is_waiting(inbox)
        assert not waiting.done()
        await asyncio.to_thread(inbox.drain, log, 500)
        await waiting
        count = len(stored(log))
        waiting = asyncio.create_task(inbox.append([event(2)]))
        await is_waiting(inbox)
        await asyncio.to_thread(inbox.close)
        with pytest.raises(InboxClosedError):
            await waiting
        return count

    assert asyncio.run(send()) == 1


def test_whoever_asked_may_be_gone(log) -> None:
    inbox = opened()

    async def leave() -> None:
        waiting = asyncio.create_task(inbox.append([event(1)]))
        await is_waiting(inbox)
        waiting.cancel()

    asyncio.run(leave())
    assert inbox.drain(log, 500) == 1
    assert stored(log) == ["1"]


def test_letters_are_in_the_same_commit_as_the_events_beside_them(log) -> None:
    inbox, told = opened(max_events=3), []
    letters = [DeadLetter(data=b"no event", reason="malformed", origin="mqtt")] * 2
    inbox.submit([event(1)], told.append, 100, letters)
    assert inbox.stats().waiting == 3
    with pytest.raises(InboxFullError):
        inbox.submit([], told.append, 0, letters)
    assert inbox.drain(log, 500) == 1
    assert (stored(log), told) == (["1"], [None])
    assert [record.event.data for record in log.read(Stream.DEAD_LETTERS, 0, 0, 10)] == [b"no event"] * 2
