import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.spool.nonfinite import holds_nonfinite, may_hold_nonfinite

VALUES = st.recursive(
    st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=12) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


def truth(value):
    if isinstance(value, float):
        return not math.isfinite(value)
    return (
        any(map(truth, value.values() if isinstance(value, dict) else value))
        if isinstance(value, dict | list)
        else False
    )


@given(VALUES)
def test_it_finds_exactly_the_values_with_a_number_that_json_lacks(value):
    packed = msgspec.msgpack.encode(value)
    assert holds_nonfinite(packed) == truth(value)
    assert may_hold_nonfinite(packed) or not truth(value)


def test_bytes_that_only_look_like_nan_are_cleared():
    packed = msgspec.msgpack.encode({"key": b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"})
    assert may_hold_nonfinite(packed)
    assert not holds_nonfinite(packed)
