"""The rule about gaps: where an engine does not vouch for a hole, Kafka says whether records are missing."""

import random
from types import SimpleNamespace

import pytest

from qml_processors.worker import feed as room
from qml_processors.worker.delivery import Chunk
from qml_processors.worker.feed import Feed


@pytest.fixture
def existing():
    """Return the offsets that Kafka holds; a test takes some out."""
    return set(range(100))


@pytest.fixture
def feed(engine, existing):
    made = Feed(
        lambda offset, epoch: engine.seek(0, offset, epoch),
        lambda: engine.resume(0),
        lambda offset: min((one for one in existing if one >= offset), default=None),
    )
    made.begin(0)
    return made


def take(feed, limit=100):
    return [record.offset for record in feed.take(limit)]


def test_records_come_in_order_and_each_once(feed, engine):
    feed.accept(engine.chunk([0, 1, 2]))
    feed.accept(engine.chunk([1, 2, 3]))
    assert take(feed, 2) == [0, 1]
    assert take(feed) == [2, 3]
    assert take(feed) == []
    assert (feed.repeats, feed.holes, feed.doubts, feed.reached) == (2, 0, 0, 4)


def test_records_that_were_dropped_come_after_all(feed, engine):
    feed.accept(engine.chunk([0, 1]))
    for _ in range(3):  # however often the same ones are dropped
        feed.accept(engine.chunk([5, 6]))
        assert take(feed)[-2:] in ([0, 1], [])
        assert engine.sought[-1][:2] == (0, 2)
    feed.accept(engine.chunk([2, 3, 4, 5]))
    assert take(feed) == [2, 3, 4, 5]
    assert (feed.doubts, feed.holes, feed.believed) == (3, 0, 0)


def test_a_hole_that_kafka_has_too_is_real(feed, engine, existing):
    existing -= {2, 3, 4, 7, 8}
    feed.accept(engine.chunk([0, 1]))
    feed.accept(engine.chunk([5, 6, 9]))
    assert take(feed) == [0, 1, 5, 6, 9]
    assert (feed.doubts, feed.holes, feed.believed, feed.reached) == (0, 2, 2, 10)
    assert len(engine.sought) == 1


def test_a_hole_within_a_chunk_is_looked_into_too(feed, engine):
    feed.accept(engine.chunk([0, 4]))
    assert take(feed) == [0]
    feed.accept(engine.chunk([1, 2, 3, 4]))
    assert take(feed) == [1, 2, 3, 4]


def test_what_an_engine_vouches_for_is_a_hole_at_once(feed, engine):
    feed.accept(engine.chunk([0, 1, 4], start=0, end=8))
    feed.accept(engine.chunk([9], start=8, end=10))
    assert take(feed) == [0, 1, 4, 9]
    assert (feed.doubts, feed.holes, feed.believed) == (0, 2, 0)


def test_a_gap_between_vouched_chunks_is_looked_into(feed, engine, existing):
    existing -= {2, 3}
    feed.accept(engine.chunk([0, 1], start=0))
    feed.accept(engine.chunk([7], start=6))
    assert take(feed) == [0, 1]
    assert engine.sought[-1][:2] == (0, 2)
    feed.accept(engine.chunk([4, 5, 6, 7], start=4))
    assert take(feed) == [4, 5, 6, 7]
    assert feed.believed == 1


def test_a_delivered_record_that_kafka_does_not_show_yet_is_fetched_again(feed, engine, existing):
    existing.clear()
    feed.accept(engine.chunk([2]))
    assert take(feed) == []
    existing |= {2}
    feed.accept(engine.chunk([2]))
    assert take(feed) == [2]


def test_what_was_under_way_before_a_seek_is_thrown_away(feed, engine):
    stale = engine.chunk([0, 1])
    feed.begin(5)
    assert feed.accept(stale)
    assert take(feed) == []
    feed.accept(engine.chunk([3, 4, 5, 6]))
    assert take(feed) == [5, 6]


def test_a_halted_feed_takes_nothing(feed, engine):
    feed.accept(engine.chunk([0, 1]))
    feed.halt()
    feed.accept(engine.chunk([0, 1]))
    assert take(feed) == []
    assert feed.records == 0


def test_a_full_feed_says_so_and_asks_for_more_when_it_is_half_empty(feed, engine, monkeypatch):
    monkeypatch.setattr(room, "MAX_RECORDS", 10)
    assert feed.accept(engine.chunk(range(9), start=0))
    assert not feed.accept(engine.chunk(range(9, 12), start=9))
    assert take(feed, 6) == list(range(6))
    assert engine.resumed == []
    assert take(feed, 2) == [6, 7]
    assert engine.resumed == [0]
    assert take(feed) == [8, 9, 10, 11]
    assert engine.resumed == [0]


def test_a_feed_is_full_by_bytes_too(feed, engine, monkeypatch):
    monkeypatch.setattr(room, "MAX_BYTES", 25)
    assert feed.accept(engine.chunk([0, 1], start=0))
    assert not feed.accept(engine.chunk([2], start=2))
    take(feed, 2)
    assert engine.resumed == [0]


@pytest.mark.parametrize("vouched", [True, False])
def test_however_an_engine_drops_and_repeats_all_records_come_in_order(vouched):
    for seed in range(100):
        chance = random.Random(seed)
        held = sorted(chance.sample(range(200), 120))
        sought = []
        feed = Feed(
            lambda offset, epoch, sought=sought: sought.append((offset, epoch)),
            lambda: None,
            lambda offset, held=held: min((one for one in held if one >= offset), default=None),
        )
        feed.begin(0)
        found, place, epoch = [], 0, 0
        while len(found) < len(held):
            if sought:
                place, epoch = sought.pop()
            elif place > held[-1] and not feed.records:
                place = feed.reached  # a stall: the owner seeks by itself
            records = [offset for offset in held if offset >= place][: chance.randrange(1, 9)]
            if records and chance.random() > 0.3:  # else they are dropped on the way
                start = place if vouched else None
                raw = [SimpleNamespace(offset=offset) for offset in records]
                feed.accept(Chunk(0, epoch, start, records[-1] + 1, raw, 1))
            place = records[-1] + 1 if records else place
            if chance.random() < 0.1:
                place = chance.randrange(place + 1)  # and now and then repeated
            found += take(feed, chance.randrange(1, 12))
        assert found == held, f"seed {seed}"
