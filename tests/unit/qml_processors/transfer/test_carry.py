"""A log carried into another one in the middle of its life finds what it would have found in its place."""

import msgspec
import pytest
from msgspec.structs import replace

from qml_processors.runner import Runner, load_processors, tick_event
from qml_processors.runner import replay as replay_log
from qml_processors.runner.rules_log import LATEST, config_mark, partition_cursor
from qml_processors.transfer import TransferError, carry
from quantum_mlops.clock import SECOND
from quantum_mlops.codec import encode
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog
from tests.week import feed, read_week

NOW = 1_795_176_000 * SECOND


@pytest.fixture(scope="module")
def events():
    return read_week()


def run(log):
    runner = Runner(log, load_processors())
    for number in range(log.partitions):
        assert runner.open(number), runner.stats().partitions[number].given_up
    while runner.process_batch(5000):
        pass
    open_findings = {key: (one.finding_id, one.transition) for key, one in runner.open_findings().items()}
    mismatches = sum(one.mismatches for one in runner.stats().partitions)
    states = runner.states()
    runner.close()
    return open_findings, mismatches, states


def derived(log, stream):
    found = [
        record.event
        for number in range(log.partitions)
        for record in log.read(stream, number, 0, 100_000)
        if isinstance(record.event, Event)
    ]
    return sorted(encode(replace(event, ingestedtime=None)) for event in found)


@pytest.fixture(scope="module")
def whole(events):
    log = MemoryLog()
    feed(log, events)
    ended = run(log)
    return derived(log, Stream.FINDINGS), derived(log, Stream.SUMMARIES), ended


def test_a_week_carried_twice_in_its_middle_gives_the_findings_of_the_week(events, whole, tmp_path) -> None:
    half, later = len(events) // 2, len(events) * 5 // 6
    first = SqliteLog(tmp_path / "first.sqlite")
    feed(first, events[: half - 700])
    run(first)
    feed(first, events[half - 700 : half])  # its runner has not seen these
    wide = MemoryLog(3)
    carried = carry(first, wide, load_processors(), "first")
    assert carried.open_findings > 0
    assert run(wide)[1] == 0
    feed(wide, events[half:later])
    run(wide)
    back = SqliteLog(tmp_path / "back.sqlite")
    carry(wide, back, load_processors(), "wide")
    feed(back, events[later:])
    ended = run(back)
    findings, summaries, expected = whole
    assert derived(back, Stream.FINDINGS) == findings
    assert derived(back, Stream.SUMMARIES) == summaries
    assert ended == expected
    again = replay_log(back, load_processors())
    assert sorted(encode(event) for event in again.findings) == findings
    first.close()
    back.close()


def prepared(events, count=20_000):
    log = MemoryLog()
    feed(log, events[:count])
    run(log)
    letters = [
        DeadLetter(data=b"\xff", reason="no event", origin="spool", time=7),
        DeadLetter(data=encode(events[5]), reason="x", origin="log"),
    ]
    latest = events[0]
    log.append([], dead_letters=letters, cursors={
        LATEST: encode(latest), partition_cursor(0): config_mark(latest), "log-id": b"me", "spool/segment/a": b"1",
        "runner/attempt/0": b"2", "dispatcher/findings/0": max(0, log.end(Stream.FINDINGS, 0) - 1).to_bytes(8, "big"),
    })  # fmt: skip
    return log


def test_positions_rules_and_dead_letters_are_carried(events) -> None:
    source, target = prepared(events), MemoryLog(4)
    carried = carry(source, target, load_processors(), "here")
    assert carried.dead_letters == 2
    letters = [record.event for number in range(4) for record in target.read(Stream.DEAD_LETTERS, number, 0, 9)]
    assert {letter.reason for letter in letters} == {"no event", "x"}
    assert target.cursor("spool/segment/a") == b"1"
    assert target.cursor("transfer/origin") == b"me"
    assert target.cursor("log-id") is None
    assert target.cursor("runner/attempt/0") is None
    assert [target.cursor(partition_cursor(number)) for number in range(4)] == [config_mark(events[0])] * 4
    unread = {
        number: target.end(Stream.FINDINGS, number)
        - int.from_bytes(target.cursor(f"dispatcher/findings/{number}"), "big")
        for number in range(4)
    }
    assert sorted(unread.values()) == [0, 0, 0, 1]
    for number in range(4):
        first = target.read(Stream.EVENTS, number, 0, 1)[0].event
        assert first.key == events[0].key


def test_a_target_that_is_not_empty_is_refused_and_left_alone(events) -> None:
    source, target = prepared(events, 500), MemoryLog(2)
    target.append(events[1:2], partition=1)
    with pytest.raises(TransferError, match="partition 1 of its events holds records"):
        carry(source, target, load_processors(), "here")
    assert target.end(Stream.EVENTS, 0) == 0
    done = MemoryLog(2)
    carry(source, done, load_processors(), "here")
    with pytest.raises(TransferError, match="was filled from here already"):
        carry(source, done, load_processors(), "here")


class Failing(MemoryLog):
    """Fails at the n-th write, before or after it is stored."""

    left = 0
    before = True

    def append(self, *args, **kwargs):
        self._fail(lambda: MemoryLog.append(self, *args, **kwargs))

    def commit(self, *args):
        self._fail(lambda: MemoryLog.commit(self, *args))

    def move_cursors(self, *args):
        self._fail(lambda: MemoryLog.move_cursors(self, *args))

    def _fail(self, write):
        self.left -= 1
        if self.left == 0 and self.before:
            raise LogError("away")
        write()
        if self.left == 0:
            raise LogError("away after it was stored")


def test_an_interrupted_transfer_goes_on_and_ends_the_same(events) -> None:
    source, whole = prepared(events, 6000), MemoryLog(3, clock=lambda: 2**61)
    carry(source, whole, load_processors(), "here")
    target, interruptions = Failing(3, clock=lambda: 2**61), 0
    for step in range(1, 60):
        target.left, target.before = step, bool(step % 2)
        try:
            carry(source, target, load_processors(), "here")
        except LogError:
            interruptions += 1
        except TransferError as error:
            assert "already" in str(error)
            break
        else:
            break
    target.left = 0
    assert interruptions > 5
    for stream in Stream:
        for number in range(3):
            one, other = (log.read(stream, number, 0, 10_000) for log in (whole, target))
            assert msgspec.json.encode(one) == msgspec.json.encode(other)
    assert target.cursors("") == whole.cursors("")
    assert run(target) == run(whole)


def test_another_source_does_not_go_on_with_what_was_begun(events) -> None:
    target = Failing(2)
    target.left = 3
    with pytest.raises(LogError):
        carry(prepared(events, 6000), target, load_processors(), "here")
    with pytest.raises(TransferError, match="filled in part from here"):
        carry(prepared(events, 500), target, load_processors(), "here")


def test_what_retention_removed_lives_on_in_the_states(events) -> None:
    whole = MemoryLog()
    feed(whole, events[:9000])
    expected = run(whole)
    cut = MemoryLog()
    feed(cut, events[:4500])
    run(cut)
    cut.retain(older_than=events[4400].ingestedtime, max_bytes=2**40)
    assert cut.read(Stream.EVENTS, 0, 1, 1)[0].offset > 4000
    target = MemoryLog(3)
    carry(cut, target, load_processors(), "cut")
    feed(target, events[4500:9000])
    assert run(target) == expected


def metric(number, key, time):
    return Event(
        id=f"{number:016x}", source=f"qml://h/a/{key}", type=type_name("metric.logged"), time=time, partitionkey=key,
        project=key, ingestedtime=time, data=MetricLogged(values={"accuracy": 0.1}),
    )  # fmt: skip


def test_an_event_in_the_wrong_partition_is_processed_once_in_its_own() -> None:
    source = MemoryLog(2)
    keys = [key for key in "abcdefgh" if source.partition_of(key) == 0]
    source.append([metric(0, keys[0], NOW)], partition=0)
    run(source)
    source.append([metric(1, keys[0], NOW + 1)], partition=1)  # not its own, and not processed yet
    target = MemoryLog(1)
    assert carry(source, target, load_processors(), "here").events == 2
    found = [record.event.id for record in target.read(Stream.EVENTS, 0, 0, 9)]
    assert found == [f"{number:016x}" for number in range(2)]
    runner = Runner(target, load_processors())
    runner.open(0)
    target.append([metric(1, keys[0], NOW + 2), metric(2, keys[0], NOW + 3)])
    while runner.process_batch():
        pass
    counts = runner.stats().partitions[0].counts
    assert (counts.duplicates, counts.events) == (1, 1)


def test_ticks_are_left_out_unless_the_clock_jumps_or_nothing_follows() -> None:
    source = MemoryLog()
    ticks = [
        replace(tick_event("qml://service/0", n, NOW + n * SECOND), ingestedtime=NOW + (n + late) * SECOND)
        for n, late in enumerate([0, 0, 0, 100, 100, 100, 100])
    ]
    for tick in ticks:
        source.append([tick], partition=0)
    run(source)
    target = MemoryLog(2)
    carried = carry(source, target, load_processors(), "here")
    assert carried.ticks_left_out == 5
    assert carried.open_findings == 1
    for number in range(2):
        there = [int(record.event.id, 16) for record in target.read(Stream.EVENTS, number, 0, 9)]
        assert there == [0, 3, 6]
    assert target.end(Stream.FINDINGS, 0) == 1
    assert target.end(Stream.FINDINGS, 1) == 0
    replayed = replay_log(target, load_processors()).findings
    assert {event.id for event in replayed} == {record.event.id for record in source.read(Stream.FINDINGS, 0, 0, 9)}


def test_states_of_processors_that_are_not_installed_are_not_left_behind_unseen(events) -> None:
    source = prepared(events, 2000)
    with pytest.raises(TransferError, match="states of processors that are not installed here"):
        carry(source, MemoryLog(2), [], "here")


@pytest.mark.parametrize("is_early", [True, False])
def test_an_emitter_that_writes_into_the_target_meanwhile_is_noticed(events, is_early) -> None:
    class Crowded(MemoryLog):
        """Somebody sends an event before, or after, the first piece of what is carried."""

        sent = False

        def append(self, events, **where):
            mine, self.sent = not self.sent, True
            if mine and is_early:
                super().append([stranger], partition=0)
            super().append(events, **where)
            if mine and not is_early:
                super().append([stranger], partition=0)

    stranger = Event(
        id="1", source="lab", type=type_name("metric.logged"), time=1, partitionkey="iris", project="iris",
        data=MetricLogged(values={"loss": 1.0}),
    )  # fmt: skip
    source = MemoryLog()
    feed(source, events[:3000])
    run(source)
    target = Crowded(1)
    for _ in range(2):
        with pytest.raises(TransferError, match=r"partition 0 .* 1 events that were not carried"):
            carry(source, target, load_processors(), "first")
