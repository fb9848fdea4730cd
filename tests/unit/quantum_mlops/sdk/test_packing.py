import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from quantum_mlops import codec
from quantum_mlops.events import Context, Event, GradientStatistics, Job, MetricLogged, UnknownData, type_name
from quantum_mlops.sdk.packing import RefusedError, event_size_bytes, full_type, merge_context, pack_data, pack_record
from quantum_mlops.spool.segment import SpoolRecord

METRIC = type_name("metric.logged")


def pack(name, data):
    raw = Raw(pack_data(name, data))
    return pack_record(
        SpoolRecord(0, 7, name, 1_700_000_000_000_000_000, "iris", "iris", Context(), raw), "qml://h/n/0"
    )


@pytest.mark.parametrize("kind", ["", "x" * 513, 7, None, "tick", "config.applied", "finding.opened", "summary.run"])
def test_types_that_an_emitter_may_not_send_are_refused(kind):
    with pytest.raises(RefusedError):
        full_type(kind)


def test_a_mapping_becomes_the_struct_of_its_type():
    assert pack_data(METRIC, {"values": {"loss": np.float64(1.5)}}) == pack_data(
        METRIC, MetricLogged(values={"loss": 1.5})
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (METRIC, {"values": {"loss": "high"}}),
        (METRIC, MetricLogged(values={"loss": float("nan")})),
        (METRIC, MetricLogged(phase="sleep")),
        (METRIC, GradientStatistics(size=1)),
        (METRIC, {"valeus": {"loss": 1.0}}),
        (type_name("job.created"), {}),
        (type_name("job.created"), Job(job_id="j", submit_seconds=float("inf"))),
        ("com.example.note", [1, 2]),
        ("com.example.note", "text"),
        ("com.example.note", None),
        ("com.example.note", {"x": object()}),
        ("com.example.note", {"x": np.arange(3)}),
        ("com.example.note", {"x": 1j}),
        ("com.example.note", {"x": float("nan")}),
        ("com.example.note", {"\ud800": 1}),
        ("com.example.note", {(1, 2): 1}),
        ("com.example.note", {"x": 2**70}),
    ],
)
def test_data_that_cannot_be_read_back_is_refused_at_the_door(kind, data):
    with pytest.raises((RefusedError, msgspec.ValidationError, ValueError, TypeError, OverflowError)):
        pack_data(kind, data)


def test_the_limit_is_64_kib_of_json_to_the_byte():
    def size(text):
        event = Event(
            id=f"{7:016x}", source="qml://h/n/0", type="com.example.note", time=1_700_000_000_000_000_000,
            partitionkey="iris", project="iris", ingestedtime=1_700_000_000_000_000_000,
            data=UnknownData(Raw(msgspec.json.encode({"text": text}))),
        )  # fmt: skip
        return len(codec.encode(event))

    room = codec.MAX_EVENT_BYTES - size("")
    assert size("x" * room) == codec.MAX_EVENT_BYTES
    assert pack("com.example.note", {"text": "x" * room})
    with pytest.raises(RefusedError, match="65537 bytes of JSON") as caught:
        pack("com.example.note", {"text": "x" * (room + 1)})
    assert caught.value.reason == "too_large"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))),
        st.text(st.characters(max_codepoint=31))
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.none()
        | st.lists(st.integers(-(2**63), 2**64 - 1)),
    )
)
def test_the_estimates_never_fall_below_the_truth(data):
    exact = len(codec.encode(Event(
        id="0" * 16, source="qml://h/n/0", type="com.example.note", time=1_700_000_000_000_000_000, partitionkey="iris",
        project="iris", ingestedtime=1, data=UnknownData(Raw(msgspec.json.encode(data))),
    )))  # fmt: skip
    assert event_size_bytes("com.example.note", data) >= exact
    assert len(msgspec.msgpack.encode(data)) * 6 + 4096 >= exact


@pytest.mark.parametrize(
    ("run", "step", "extra", "expected"),
    [
        (None, None, None, Context()),
        (Context(runid="r"), None, None, Context(runid="r")),
        (Context(runid="r"), 3, None, Context(runid="r", step=3)),
        (Context(runid="r"), 3, {"step": 4}, Context(runid="r", step=4)),
        (Context(runid="r"), None, {"step": np.int64(4), "subject": "s"}, Context(runid="r", step=4, subject="s")),
        (Context(runid="r"), 2, {"subject": None}, Context(runid="r", step=2)),
        (
            Context(runid="r", variant="a"),
            None,
            {"variant": "b", "blockid": "1"},
            Context(runid="r", variant="b", blockid="1"),
        ),
    ],
)
def test_context_is_the_run_s_then_the_step_then_the_caller_s(run, step, extra, expected):
    assert merge_context(run, step, extra) == expected


@pytest.mark.parametrize(
    "extra", [{"colour": "red"}, {"step": -1}, {"step": 2**31}, {"step": "x"}, {"subject": "x" * 513}, {"subject": []}]
)
def test_context_that_the_contract_does_not_know_is_refused(extra):
    with pytest.raises((RefusedError, msgspec.ValidationError, TypeError)):
        merge_context(None, None, extra)
