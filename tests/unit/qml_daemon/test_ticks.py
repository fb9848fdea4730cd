"""Ticks: each second while somebody waits for the time, rarely in quiet times, to every partition."""

from qml_daemon.ticks import Ticker
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog

WALL = 1_800_000_000 * SECOND


def test_a_tick_goes_to_every_partition_each_second_and_each_30_s_when_quiet() -> None:
    wall, monotonic = ManualClock(WALL), ManualClock(5 * SECOND)
    log = MemoryLog(partitions=3, clock=wall)
    ticker = Ticker(log, wall, monotonic)
    done = []
    for _ in range(40):
        done.append(ticker.step(quiet=False))
        monotonic.advance_seconds(0.25)
    assert sum(done) == 10
    assert [log.end(Stream.EVENTS, n) for n in range(3)] == [10, 10, 10]
    quiet = []
    for _ in range(60):
        quiet.append(ticker.step(quiet=True))
        monotonic.advance_seconds(1)
    assert sum(quiet) == 2


def test_a_ticks_time_follows_the_monotonic_clock_so_that_a_jump_of_the_wall_clock_shows() -> None:
    wall, monotonic = ManualClock(WALL), ManualClock(0)
    log = MemoryLog(clock=wall)
    ticker = Ticker(log, wall, monotonic)
    ticker.step(quiet=False)
    wall.advance_seconds(3600)
    monotonic.advance_seconds(1)
    ticker.step(quiet=False)
    records = log.read(Stream.EVENTS, 0, 0, 10)
    assert [record.event.time - WALL for record in records] == [0, SECOND]
    assert [record.ingestedtime - WALL for record in records] == [0, 3600 * SECOND]
    assert len({record.event.key for record in records}) == 2


def test_after_ten_minutes_the_new_time_is_the_time() -> None:
    wall, monotonic = ManualClock(WALL), ManualClock(0)
    log = MemoryLog(clock=wall)
    ticker = Ticker(log, wall, monotonic)
    wall.advance_seconds(3600)
    for _ in range(700):
        ticker.step(quiet=False)
        wall.advance_seconds(1)
        monotonic.advance_seconds(1)
    late = [record.ingestedtime - record.event.time for record in log.read(Stream.EVENTS, 0, 0, 1000)]
    assert late == [3600 * SECOND] * 600 + [0] * 100
