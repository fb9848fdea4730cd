"""The two homes of the processors, as the daemon's loop sees them."""

import pytest

from qml_daemon.processing import Elsewhere, Embedded
from qml_processors.runner import Runner, apply_config, tick_event
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import ConfigApplied
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog

START = 1_800_000_000 * SECOND
FIRST = Rules(threshold=[ThresholdRule(name="Low", metric="accuracy", below=0.5)])
SECOND_RULES = Rules(threshold=[ThresholdRule(name="Low", metric="accuracy", below=0.6)])
SOURCE = "qml://daemon/abc/config"


class Elsewhen(MemoryLog):
    """A log that tells its own time, as Kafka does."""

    def latest_time(self) -> int:
        last = [self.read(Stream.EVENTS, n, self.end(Stream.EVENTS, n) - 1, 1) for n in range(self.partitions)]
        return max((records[0].ingestedtime for records in last if records), default=0)


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def log(clock):
    return Elsewhen(partitions=3, clock=clock)


def configs(log):
    """Return (effective, id) of the configs in each partition."""
    return [
        [
            (record.event.data.effective, record.event.id)
            for record in log.read(Stream.EVENTS, number, 0, 100)
            if isinstance(record.event.data, ConfigApplied)
        ]
        for number in range(log.partitions)
    ]


def test_rules_come_into_every_partition_of_an_empty_log_from_the_beginning_on(log, clock):
    apply_config(log, Elsewhere(log), FIRST, clock, SOURCE)
    assert [len(found) for found in configs(log)] == [1, 1, 1]
    assert {effective for found in configs(log) for effective, _ in found} == {0}


def test_a_start_with_the_same_rules_writes_nothing(log, clock):
    apply_config(log, Elsewhere(log), FIRST, clock, SOURCE)
    clock.advance_seconds(60)
    assert apply_config(log, Elsewhere(log), FIRST, clock, "qml://daemon/other/config") is None
    assert [len(found) for found in configs(log)] == [1, 1, 1]


def test_other_rules_act_five_seconds_after_the_greatest_time_of_the_log(log, clock):
    apply_config(log, Elsewhere(log), FIRST, clock, SOURCE)
    clock.advance_seconds(100)
    log.append([tick_event("qml://host/b/0", 0, clock())], partition=2)
    clock.advance_seconds(-50)
    apply_config(log, Elsewhere(log), SECOND_RULES, clock, SOURCE)
    assert {found[-1][0] for found in configs(log)} == {START + 105 * SECOND}


def test_a_partition_that_lacks_the_rules_after_a_crash_gets_the_same_record(log, clock, monkeypatch):
    append, left = log.append, [2]

    def fail(events, **where):
        if not left[0]:
            raise OSError("killed here")
        left[0] -= 1
        append(events, **where)

    monkeypatch.setattr(log, "append", fail)
    with pytest.raises(OSError, match="killed here"):
        apply_config(log, Elsewhere(log), FIRST, clock, SOURCE)
    monkeypatch.undo()
    apply_config(log, Elsewhere(log), FIRST, clock, "qml://daemon/other/config")
    assert [len(found) for found in configs(log)] == [1, 1, 1]
    assert len({found[0] for found in configs(log)}) == 1


def test_elsewhere_nothing_is_processed_counted_or_known_here(log, clock):
    processing = Elsewhere(log)
    processing.start(FIRST)
    log.append([tick_event("qml://host/b/0", 0, clock())], partition=0)
    assert processing.process_batch(500) == 0
    assert processing.stats() is None
    assert processing.waits_for_time()


def test_embedded_an_idle_log_waits_for_nothing(log):
    processing = Embedded(Runner(log, []), log.partitions)
    processing.start(FIRST)
    assert not processing.waits_for_time()
    stats = processing.stats()
    assert stats is not None
    assert len(stats.partitions) == 3
    processing.close()
