"""The heart: any batches, any crashes, any layout of partitions give what one uninterrupted replay gives."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as structs_replace

from qml_processors.runner import replay, rows, segments
from qml_processors.runner.checkpoint import RollingCheckpoint
from qml_processors.runner.offsets import OffsetRanges
from quantum_mlops.codec import encode

KINDS = (
    ("metric",) * 12
    + ("again",) * 4
    + ("tick", "late", "foreign", "hole", "ended", "unknown", "config", "junk", "jump")
)
WAITS = (0.0, 0.0, 0.0, 0.1, 1.0, 3.0, 9.0, 40.0, 3700.0)


@pytest.fixture(scope="module", autouse=True)
def segments_wear_out_at_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SPARE_ROWS", 0)
        yield


def _ops(bench, rng, length):
    return [
        bench.Op(
            kind=rng.choice(KINDS),
            wait=rng.choice(WAITS),
            project=rng.randrange(3),
            source=rng.randrange(2),
            run=rng.randrange(3),
            pick=rng.randrange(60),
        )
        for _ in range(length)
    ] + [bench.Op("tick")]  # every partition comes to the same instant


def _as_bytes(events):
    return sorted(encode(structs_replace(event, ingestedtime=None)) for event in events)


def _run_with_crashes(bench, log, rng, faults_per_run, *, trim=False):
    """Process the whole log in random batches, ending the process at random commits."""
    crashes = 0
    runner = None
    faulty = bench.FaultyLog(log, trim=trim)
    while True:
        if not faulty.faults and crashes < faults_per_run:
            faulty.faults = [None] * rng.randrange(6) + [rng.choice(["before", "after", "error"])]
        try:
            if runner is None:
                runner = bench.runner(faulty, checkpoint_rows=rng.choice([1, 1, 2, 50]))
            if not runner.process_batch(rng.choice([1, 1, 2, 3, 5, 8, 20])):
                return runner, crashes
        except bench.Crash:
            crashes += 1
            runner = None
        except bench.LogError:
            crashes += 1
        if rng.random() < 0.05 and crashes < faults_per_run:
            crashes += 1
            runner = None


def _check(bench, seed, length=60, crashes=12):
    rng = random.Random(seed)
    ops = _ops(bench, rng, length)
    reference = bench.story(1)
    reference.play(ops)
    expected = replay(reference.log, bench.toys())
    crashes_seen = 0
    for partitions in (1, 3):
        story = bench.story(partitions)
        story.play(ops)
        runner, happened = _run_with_crashes(bench, story.log, rng, crashes, trim=partitions > 1)
        crashes_seen += happened
        assert partitions == 1 or length < 50 or all(p.counts.records or p.offset for p in runner.stats().partitions)
        seen = bench.read(story.log, "findings")
        clock = {"clock_jump"} if partitions > 1 else set()
        assert _as_bytes(_without(seen, clock)) == _as_bytes(_without(expected.findings, clock))
        assert _as_bytes(bench.read(story.log, "summaries")) == _as_bytes(expected.summaries)
        assert runner.states() == expected.states
        assert all(partition.mismatches == 0 for partition in runner.stats().partitions)
    return crashes_seen, len(expected.findings)


def _without(events, processors):
    return [event for event in events if event.source.removeprefix("qml://derived/") not in processors]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_any_batches_crashes_and_layouts_give_the_findings_and_states_of_one_replay(bench, seed):
    _check(bench, seed)


def test_the_random_streams_do_crash_and_do_find(bench):
    happened = [_check(bench, seed, length=80) for seed in range(8)]
    assert sum(crashes for crashes, _ in happened) > 100
    assert sum(findings for _, findings in happened) > 100


def _drop_too_early(monkeypatch):
    monkeypatch.setattr(OffsetRanges, "prune", lambda self, start: self.__init__())


def _retire_in_any_order(monkeypatch):
    def retire(self):
        gone = [number for number, live in self._live.items() if not live]
        for number in gone:
            self._rows -= self._sizes.pop(number)
            del self._members[number], self._live[number]
        return gone

    monkeypatch.setattr(segments.Segments, "retire", retire)


def _replay_too_late(monkeypatch):
    whole = RollingCheckpoint._advance

    def advance(self, position):
        whole(self, position)
        self.replay_offset, self.replay_now = position[0] + 1, self.partition.now

    monkeypatch.setattr(RollingCheckpoint, "_advance", advance)


def _forget(name, value):
    def plant(monkeypatch):
        whole = rows.series_row

        def series_row(series, at):
            kept = getattr(series, name)
            setattr(series, name, value)
            row = whole(series, at)
            setattr(series, name, kept)
            return row

        monkeypatch.setattr(rows, "series_row", series_row)

    return plant


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(_drop_too_early, id="the offsets dropped as duplicates are not kept"),
        pytest.param(_retire_in_any_order, id="segments go before older ones that they hide"),
        pytest.param(_replay_too_late, id="the replay starts at the watermark"),
        pytest.param(_forget("openings", 0), id="earlier openings by an event are not kept"),
        pytest.param(_forget("last", 0), id="the last event or timer of a series is not kept"),
        pytest.param(_forget("late", False), id="lateness is not kept"),
        pytest.param(_forget("errors", 0), id="the count of errors is not kept"),
    ],
)
def test_a_runner_without_this_rule_is_caught(bench, monkeypatch, plant):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        [_check(bench, seed, length=80, crashes=20) for seed in range(40)]


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("start", range(0, 20_000, 1000))
def test_many_random_streams_agree_with_their_replay(bench, start):
    for seed in range(start, start + 1000):
        _check(bench, seed + 10**9, length=120, crashes=30)
