import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.codec import decode, digest, encode
from quantum_mlops.errors import DecodeError
from quantum_mlops.events import Event, MetricLogged, Tick, UnknownData, type_name

MINIMAL = {"specversion": "1.0", "id": "1", "source": "s", "type": type_name("tick")}


def test_every_event_survives_encode_and_decode(any_event):
    @given(any_event)
    def check(event):
        assert decode(encode(event)) == event

    check()


def test_encoding_is_one_line_of_json_that_a_foreign_reader_understands(any_event):
    @given(any_event)
    def check(event):
        data = encode(event)
        document = json.loads(data)
        assert b"\n" not in data
        assert document["specversion"] == "1.0"
        assert document["type"] == event.type

    check()


@given(st.binary(max_size=200))
def test_hostile_bytes_give_a_decode_error_that_keeps_them(data):
    try:
        decode(data)
    except DecodeError as error:
        assert error.data == data
        assert error.reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_hostile_json_data_is_refused_or_kept_never_a_crash(data):
    document = json.dumps({**MINIMAL, "type": type_name("metric.logged"), "data": data}).encode()
    try:
        event = decode(document)
    except DecodeError as error:
        assert error.reason
    else:
        assert isinstance(event.data, MetricLogged)


def test_deep_nesting_is_refused():
    document = (
        json.dumps({**MINIMAL, "type": "x"}).encode()[:-1] + b', "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    )
    with pytest.raises(DecodeError):
        decode(document)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": "0.3"}, "specversion must be \"1.0\", not '0.3'"),
        ({"specversion": None}, "Expected `str`, got `null` - at `$.specversion`"),
        ({"id": ""}, "Expected `str` of length >= 1 - at `$.id`"),
        ({"id": 7}, "Expected `str`, got `int` - at `$.id`"),
        ({"time": "yesterday"}, "not an RFC 3339 time: 'yesterday'"),
        ({"step": -1}, "Expected `int` >= 0 - at `$.step`"),
        (
            {"type": type_name("metric.logged"), "data": {"values": {"loss": "high"}}},
            "Expected `float`, got `str` - at `$.values[...]`",
        ),
    ],
)
def test_a_refusal_names_the_place(change, reason):
    with pytest.raises(DecodeError) as caught:
        decode(json.dumps({**MINIMAL, **change}).encode())
    assert caught.value.reason == reason


def test_a_missing_specversion_is_refused():
    with pytest.raises(DecodeError, match="specversion must be"):
        decode(b'{"id":"1","source":"s","type":"t"}')


def test_an_unknown_type_keeps_its_data_as_it_came():
    document = json.dumps({**MINIMAL, "type": "com.example.other", "data": {"a": [1, {"b": None}]}}).encode()
    event = decode(document)
    assert event.data == UnknownData(msgspec.Raw(b'{"a": [1, {"b": null}]}'))
    assert decode(encode(event)) == event


def test_unknown_attributes_and_fields_are_ignored():
    document = json.dumps({**MINIMAL, "vendor": {"x": 1}, "data": {"more": True}}).encode()
    assert decode(document) == Event(id="1", source="s", type=type_name("tick"), time=0, partitionkey="", data=Tick())


def test_an_absent_partition_key_is_the_project_and_an_absent_time_the_ingested_one():
    event = decode(json.dumps({**MINIMAL, "project": "iris", "ingestedtime": "1970-01-01T00:00:01Z"}).encode())
    assert (event.partitionkey, event.time) == ("iris", 10**9)


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1, "b": 2}) != digest({"a": 2, "b": 1})
