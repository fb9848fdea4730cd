"""The follower: every record once to each consumer, whatever the others do."""

import threading
from collections.abc import Sequence

import pytest

from qml_daemon.follow import BATCH, Follower, Seat
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import Commit, Record, Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for


class Keeper:
    """Keeps what it takes; raises what `errors` says next."""

    def __init__(self) -> None:
        self.taken: list[tuple[Stream, int, int]] = []
        self.errors: list[Exception] = []

    def take(self, stream: Stream, partition: int, records: Sequence[Record]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken += [(stream, partition, record.offset) for record in records]


def metric(number: int, project: str = "iris") -> Event:
    return Event(
        id=f"{number:016x}", source="qml://host/a/0", type=type_name("metric.logged"), time=number,
        partitionkey=project, project=project, data=MetricLogged(values={"loss": 0.5}),
    )  # fmt: skip


def events(count: int) -> list[tuple[Stream, int, int]]:
    return [(Stream.EVENTS, 0, offset) for offset in range(count)]


def test_each_consumer_gets_every_record_once_from_its_own_start() -> None:
    log = MemoryLog(clock=ManualClock(SECOND))
    log.append([metric(number) for number in range(10)])
    late, whole, half = Keeper(), Keeper(), Keeper()
    follower = Follower(
        log,
        [
            Seat(name="late", consumer=late),
            Seat(name="whole", consumer=whole, start={}),
            Seat(name="half", consumer=half, start={(Stream.EVENTS, 0): 5}),
        ],
    )
    assert follower.stats().consumers["half"].behind == 5
    log.append([metric(10)])
    log.commit(0, Commit(findings=[metric(11)], watermark=b""))
    while follower.step():
        pass
    assert whole.taken == [*events(11), (Stream.FINDINGS, 0, 0)]
    assert half.taken == [*events(11)[5:], (Stream.FINDINGS, 0, 0)]
    assert late.taken == [(Stream.EVENTS, 0, 10), (Stream.FINDINGS, 0, 0)]
    assert {name: one.behind for name, one in follower.stats().consumers.items()} == {"late": 0, "whole": 0, "half": 0}


def test_a_consumer_that_cannot_store_gets_the_same_records_again_and_the_others_go_on(monkeypatch, caplog) -> None:
    monkeypatch.setattr("qml_daemon.follow.RETRY_SECONDS", 0.02)
    log = MemoryLog(clock=ManualClock(SECOND))
    log.append([metric(number) for number in range(3)])
    ill, well = Keeper(), Keeper()
    ill.errors = [LogError("the disk is full"), LogError("the disk is full")]
    follower = Follower(log, [Seat(name="ill", consumer=ill, start={}), Seat(name="well", consumer=well, start={})])
    follower.step()
    log.append([metric(3)])
    follower.step()
    assert (ill.taken, well.taken) == ([], events(4))
    assert follower.stats().consumers["ill"].fault == "the disk is full; trying again every second"
    wait_for(lambda: follower.step() and ill.taken, "the ill consumer to take")
    assert (ill.taken, well.taken) == (events(4), events(4))
    stats = follower.stats().consumers["ill"]
    assert (stats.failures, stats.passed_over, stats.behind, stats.fault) == (2, 0, 0, None)
    assert caplog.text.count("the disk is full") == 1


def test_a_consumer_with_a_bug_is_counted_logged_once_and_passed_over(caplog) -> None:
    log = MemoryLog(clock=ManualClock(SECOND))
    ill, well = Keeper(), Keeper()
    ill.errors = [ValueError("a bug"), ValueError("a bug")]
    follower = Follower(log, [Seat(name="ill", consumer=ill, start={}), Seat(name="well", consumer=well, start={})])
    for number in range(3):
        log.append([metric(number)])
        follower.step()
    assert (ill.taken, well.taken) == (events(3)[2:], events(3))
    stats = follower.stats().consumers["ill"]
    assert (stats.failures, stats.passed_over) == (2, 2)
    assert caplog.text.count("ill does not take what the log holds: ValueError: a bug") == 1


def test_an_ill_log_is_logged_once_counted_and_read_again(monkeypatch, caplog) -> None:
    monkeypatch.setattr("qml_daemon.follow.RETRY_SECONDS", 0.005)
    log = MemoryLog(clock=ManualClock(SECOND))
    log.append([metric(0)])
    read, ill, keeper = log.read, threading.Event(), Keeper()
    ill.set()

    def fail(*place: object) -> Sequence[Record]:
        if ill.is_set():
            raise LogError("the log is away")
        return read(*place)

    monkeypatch.setattr(log, "read", fail)
    follower = Follower(log, [Seat(name="keeper", consumer=keeper, start={})])
    follower.start()
    wait_for(lambda: follower.stats().log_errors > 3, "errors of the log")
    assert follower.stats().fault == "the log is away"
    ill.clear()
    wait_for(lambda: keeper.taken, "a record taken")
    follower.close()
    assert follower.stats().fault is None
    assert caplog.text.count("the log is away") == 1


@pytest.mark.parametrize("partitions", [1, 3])
def test_closing_reads_what_is_there_across_partitions_of_a_store(tmp_path, partitions) -> None:
    log = SqliteLog(tmp_path / "store.sqlite", partitions=partitions, clock=ManualClock(SECOND))
    keeper = Keeper()
    reader = SqliteLog.open_reader(tmp_path / "store.sqlite")
    follower = Follower(reader, [Seat(name="keeper", consumer=keeper)])
    follower.start()
    count = 3 * BATCH
    log.append([metric(number, f"p{number % 7}") for number in range(count)])
    follower.close()
    follower.close()
    reader.close()
    log.close()
    assert len(keeper.taken) == len(set(keeper.taken)) == count
    for partition in range(partitions):
        offsets = [offset for _, at, offset in keeper.taken if at == partition]
        assert offsets == list(range(len(offsets)))
