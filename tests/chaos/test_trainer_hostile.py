"""Whatever a program hands to the SDK: nothing is raised, nothing unreadable reaches the spool."""

import decimal
import math
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum_mlops.codec import MAX_EVENT_BYTES, decode, encode
from quantum_mlops.events import SHORT_NAMES, MetricLogged
from quantum_mlops.sdk.recorder import Item, Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import SegmentReader


class Evil:
    """Raises whenever anybody looks."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError

    __str__ = __hash__ = __eq__ = __iter__ = __len__ = __float__ = __repr__


class EvilMapping(dict):
    def __iter__(self):
        raise RuntimeError

    keys = items = values = __iter__


def recursive():
    value = {}
    value["self"] = value
    return value


def deep():
    value = []
    for _ in range(5_000):
        value = [value]
    return {"deep": value}


MAKERS = (
    Evil, EvilMapping, object, recursive, deep, lambda: range(10**12), lambda: (x for x in "ab"), lambda: np.zeros((2, 2)),
    lambda: np.float64("nan"), lambda: np.datetime64("2020"), lambda: decimal.Decimal(1), lambda: 1j, lambda: "\ud800",
    lambda: b"\xff", lambda: 2**200, lambda: math.nan, lambda: {1: 2}, lambda: {None: 1}, lambda: {"\ud800": 1},
    lambda: "x" * 70_000, lambda: {"x": "\x00" * 20_000}, lambda: memoryview(b"abc"), lambda: ..., lambda: type, lambda: math,
)  # fmt: skip


class Odd(int):
    """Which of the makers: hypothesis itself cannot hold what some of them make."""


def build(value):
    """Replace each `Odd` in a drawn value by what its maker makes."""
    if type(value) is Odd:
        return MAKERS[value]()
    if type(value) in (list, tuple):
        return type(value)(map(build, value))
    return {key: build(inner) for key, inner in value.items()} if type(value) is dict else value


ODD = st.integers(0, len(MAKERS) - 1).map(Odd)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
ANYTHING = st.recursive(
    PLAIN | ODD,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(SHORT_NAMES) | ANYTHING


def hand_over(recorder, data):
    def draw(strategy=ANYTHING):
        return build(data.draw(strategy))

    fields = st.dictionaries(st.text(max_size=5), ANYTHING, max_size=4)
    recorder.emit(draw(TYPES), draw(), context=draw(), partitionkey=draw(), time=draw())
    recorder.emit(draw(TYPES), draw(fields))
    recorder.emit("com.example.note", draw(fields), time=draw(st.none() | st.integers() | ODD))
    recorder.emit("metric.logged", MetricLogged(values=draw(fields)), context=draw(st.none() | fields))
    recorder.emit("com.example.note", {}, partitionkey=draw())
    recorder.log_metrics(draw(), draw(), draw())
    recorder.log_metrics(
        draw(fields), draw(st.none() | st.integers()), draw(st.none() | st.sampled_from(["train", "x"]))
    )
    made = draw(st.booleans()) and [Item(draw(TYPES), draw(), draw(), draw(), draw())]
    made = made or draw()
    recorder.defer(lambda: made, context=draw(), type=draw(TYPES))
    recorder.report(draw(TYPES), draw(TYPES), ValueError(draw()))
    with recorder.run(draw(), experiment=draw(), variant=draw(), tags=draw()) as run:
        run.step = draw()
        recorder.log_metrics({"a": 1})
        run.step = None
        recorder.log_metrics({"b": 1})


def read_back(folder):
    """Return the number of events, having read and encoded each of them."""
    seen = 0
    for path in Path(folder).iterdir():
        reader = SegmentReader(path)
        position, sealed = 0, False
        while not sealed:
            chunk = reader.read(position, 2**20)
            assert chunk.broken == []
            for event in chunk.events:
                text = encode(event)
                assert len(text) <= MAX_EVENT_BYTES
                assert encode(decode(text)) == text
            seen += len(chunk.events)
            position, sealed = chunk.position, chunk.sealed
        reader.close()
    return seen


def test_nothing_that_is_handed_over_raises_and_everything_in_the_spool_can_be_read(tmp_path):
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="iris"))
    settings(max_examples=120)(given(st.data())(lambda data: hand_over(recorder, data)))()
    recorder.emit("com.example.last", {"n": 1})
    assert recorder.flush(10)
    recorder.close()
    assert read_back(tmp_path / "spool") == recorder.stats().written
    assert recorder.stats().written > 200
    assert recorder.stats().dropped > 200
