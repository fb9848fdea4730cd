"""The broker keeps the time; what an import brings along stays."""

import time

from quantum_mlops.clock import SECOND
from quantum_mlops.transports.base import Commit, DeadLetter, Retained, Stream


def test_a_record_has_the_brokers_time_and_times_do_not_go_back(open_log, tick):
    log, began = open_log(), time.time_ns()
    for number in range(20):
        log.append([tick(number)], partition=0)
        log.commit(0, Commit(watermark=b"w", findings=[tick(number)], summaries=[tick(number)]))
    for stream in (Stream.EVENTS, Stream.FINDINGS, Stream.SUMMARIES):
        records = log.read(stream, 0, 0, 100)
        times = [record.ingestedtime for record in records]
        assert [record.event.ingestedtime for record in records] == times == sorted(times)
        assert began - SECOND < times[0]
        assert times[-1] < time.time_ns() + SECOND


def test_an_imported_time_stays_wherever_the_partition_is(open_log, tick):
    log, early, late = open_log(), 100 * SECOND, time.time_ns() + 30 * SECOND
    log.append([tick(0), tick(1, ingestedtime=early), tick(2, ingestedtime=late), tick(3)], partition=0)
    records = log.read(Stream.EVENTS, 0, 0, 10)
    assert [record.ingestedtime for record in records][1:3] == [early, late]
    assert [record.event.ingestedtime for record in records][1:3] == [early, late]
    assert early < records[3].ingestedtime == records[0].ingestedtime < late


def test_a_time_from_the_future_does_not_move_the_clock_of_a_partition(open_log, tick):
    log = open_log()
    log.append([tick(0, ingestedtime=4_000_000_000 * SECOND)], partition=0)
    (record,) = log.read(Stream.EVENTS, 0, 0, 10)
    assert record.ingestedtime == record.event.ingestedtime < time.time_ns() + SECOND


def test_dead_letters_have_the_clock_of_who_wrote_them(open_log):
    log = open_log(clock=lambda: 77)
    log.append([], dead_letters=[DeadLetter(data=b"x", reason="r", origin="o", partition=2)])
    log.commit(2, Commit(watermark=b"w", dead_letters=[DeadLetter(data=b"x", reason="r", origin="o", time=5)]))
    records = log.read(Stream.DEAD_LETTERS, 2, 0, 10)
    assert [(record.event.time, record.event.partition) for record in records] == [(77, 2), (5, 2)]
    assert records[0].ingestedtime > 77


def test_the_latest_time_is_the_greatest_at_the_ends(open_log, tick):
    log = open_log()
    assert log.latest_time() == 0
    for partition in range(3):
        log.append([tick(1)], partition=partition)
        time.sleep(0.002)  # so that two milliseconds of the broker differ
    last = log.read(Stream.EVENTS, 2, 0, 10)[0].ingestedtime
    assert log.latest_time() == last > log.read(Stream.EVENTS, 0, 0, 10)[0].ingestedtime
    for _ in range(12):  # more markers than one step back
        log.append([], dead_letters=[DeadLetter(data=b"", reason="", origin="")], cursors={"a": b""})
        log.commit(1, Commit(watermark=b"w", forwards=[tick(1)]))
    assert log.latest_time() == log.read(Stream.EVENTS, log.partition_of("iris"), 0, 100)[-1].ingestedtime


def test_a_time_is_found_again(open_log, tick):
    log = open_log()
    times = []
    for number in range(3):
        log.append([tick(number)], partition=0)
        times.append(log.read(Stream.EVENTS, 0, number, 1)[0].ingestedtime)
        time.sleep(0.002)
    assert [log.seek(Stream.EVENTS, 0, at) for at in (0, times[1], times[2])] == [0, 1, 2]
    assert log.seek(Stream.EVENTS, 0, times[2] + SECOND) == log.end(Stream.EVENTS, 0)


def test_retention_is_the_brokers(open_log, tick):
    log = open_log()
    log.append([tick(1)], partition=0)
    assert log.retain(older_than=time.time_ns(), max_bytes=0, readers=["mlflow"]) == Retained(removed={}, unread=0)
    assert len(log.read(Stream.EVENTS, 0, 0, 10)) == 1
