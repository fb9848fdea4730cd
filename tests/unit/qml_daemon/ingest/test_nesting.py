"""Depth told from bytes: the same as a decoder's, for every JSON text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.ingest.nesting import nests_deeper

JSON = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\ab', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[]{}"\\', max_size=4), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(JSON, st.booleans())
def test_depth_is_that_of_the_value_whatever_its_texts_hold(value: object, indented: bool) -> None:
    data = json.dumps(value, indent=2 if indented else None).encode()
    depth = depth_of(value)
    assert not nests_deeper(data, depth)
    assert depth == 0 or nests_deeper(data, depth - 1)


@given(st.binary(max_size=200))
def test_what_is_no_json_raises_nothing(data: bytes) -> None:
    assert nests_deeper(data, 2) in {True, False}


def test_brackets_in_a_text_hide_no_depth() -> None:
    data = b"".join([b'["]",'] * 40) + b"0" + b"]" * 40
    assert len(json.loads(data)) == 2
    assert nests_deeper(data, 39)
    assert not nests_deeper(data, 40)
