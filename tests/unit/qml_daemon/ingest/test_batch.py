"""Each event judged by itself."""

import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.http.problem import Problem
from qml_daemon.ingest.batch import BATCH_CONTENT_TYPE, judge, sort_out, split
from quantum_mlops.clock import SECOND
from quantum_mlops.codec import CONTENT_TYPE, MAX_EVENT_BYTES, encode
from quantum_mlops.events import SERVICE_TYPES, Event, UnknownData
from quantum_mlops.transports.memory import MemoryLog

NOW = 1_795_176_000 * SECOND


def judge_one(event: object, project: str | None = None) -> Event | tuple[str, str]:
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    judged = judge([data], project, NOW)
    if judged.events:
        assert judged.rejected == []
        return judged.events[0]
    return judged.rejected[0].code, judged.rejected[0].reason


def test_an_event_is_taken_as_it_is(make_event) -> None:
    event = judge_one(make_event(runid="r1", step=3))
    assert (event.project, event.partitionkey, event.context.runid, event.context.step) == ("iris", "iris", "r1", 3)
    assert event.ingestedtime is None


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"id": None}, "malformed", "missing required field `id`"),
        ({"specversion": "0.3"}, "malformed", 'specversion must be "1.0"'),
        ({"specversion": None}, "malformed", "specversion"),
        ({"data": {"values": {"loss": "low"}}}, "malformed", "Expected `float`"),
        ({"data": 3}, "malformed", "Expected `object`"),
        ({"time": "yesterday"}, "malformed", "yesterday"),
        ({"time": "1999-12-31T23:59:59Z"}, "time", "before 2000"),
        ({"time": "2026-11-22T12:00:00Z"}, "time", "more than a day ahead"),
        ({"type": "quantum_mlops.tick.v1"}, "reserved_type", "made by the service itself"),
        ({"subject": "x" * MAX_EVENT_BYTES}, "too_large", "over the limit of 65536 bytes"),
        ({"type": "own.type", "data": [[[]]] * 40 + [json.loads("[" * 31 + "]" * 31)]}, "too_deep", "32 levels"),
    ],
)
def test_what_is_wrong_is_named(make_event, fields, code: str, reason: str) -> None:
    found = judge_one(make_event(**fields))
    assert found[0] == code
    assert reason in found[1]


@pytest.mark.parametrize("event_type", sorted(SERVICE_TYPES))
def test_no_type_of_the_service_itself_is_taken(make_event, event_type: str) -> None:
    data = {
        "quantum_mlops.config.applied.v1": {"effective": 0, "hash": "x", "rules": {}},
        "quantum_mlops.tick.v1": {},
    }.get(event_type, {"finding_id": "f", "silence_id": "s"})
    found = judge_one(make_event(type=event_type, data=data))
    assert found[0] in {"reserved_type", "malformed"}


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff", b'{"id": "\\ud800"}', b"NaN", b"[" * 30])
def test_bytes_that_are_no_event_are_malformed(data: bytes) -> None:
    assert judge_one(data)[0] == "malformed"


def test_an_event_without_time_gets_that_of_its_arrival_and_brings_none_of_its_own(make_event) -> None:
    event = judge_one(make_event(time=None))
    assert event.time == NOW
    assert judge_one(make_event(ingestedtime="2026-11-19T00:00:00Z")).ingestedtime is None


def test_without_a_token_the_event_says_whose_it_is(make_event) -> None:
    assert judge_one(make_event(project=None)).project == "default"
    assert judge_one(make_event(project=None)).partitionkey == "default"
    assert judge_one(make_event(partitionkey="other")).partitionkey == "other"


@pytest.mark.parametrize(
    "fields", [{}, {"project": "vqe"}, {"project": None}, {"partitionkey": "vqe"}, {"partitionkey": "*"}]
)
def test_a_token_stamps_its_project_whatever_the_event_says(make_event, fields) -> None:
    event = judge_one(make_event(**fields), "mine")
    assert (event.project, event.partitionkey) == ("mine", "mine")


@pytest.mark.parametrize("project", ["mine", None])
def test_a_calibration_belongs_to_its_backend(make_event, project: str | None) -> None:
    data = {"backend": "ibm_hanoi", "calibration_id": "k1:0", "columns": []}
    kind = "quantum_mlops.calibration.snapshot.v1"
    event = judge_one(make_event(type=kind, data=data, partitionkey="vqe"), project)
    assert event.partitionkey == "ibm_hanoi"
    assert event.project == (project or "iris")


def test_an_unknown_type_is_kept_on_one_line(make_event) -> None:
    text = json.dumps(make_event(type="own.type", data={"a": [1, {"b": "x\ny"}]}), indent=2).encode()
    event = judge_one(text)
    assert isinstance(event.data, UnknownData)
    assert b"\n" not in encode(event)
    assert json.loads(encode(event))["data"] == {"a": [1, {"b": "x\ny"}]}


def test_an_event_that_grows_when_it_is_written_again_is_refused_here_and_not_by_the_log(make_event) -> None:
    values = {f"v{number}": 1e15 for number in range(4000)}
    text = json.dumps(make_event(data={"values": values}), separators=(",", ":")).replace("1000000000000000.0", "1e15")
    assert len(text) < MAX_EVENT_BYTES
    code, reason = judge_one(text.encode())
    assert code == "too_large"
    assert "65536" in reason


def test_whatever_is_taken_the_log_takes(make_event) -> None:
    """Seeded: events of every size around the limits, with numbers that grow."""
    dice = random.Random(7)
    log = MemoryLog(clock=lambda: NOW)
    taken = refused = 0
    for _ in range(150):
        count = dice.randrange(1, 4500)
        number = dice.choice(["1", "1e15", "1e5", "0.1", "123456.789", "1e-7"])
        values = ",".join(f'"v{index}":{number}' for index in range(count))
        text = json.dumps(make_event(data={"values": {}}, subject="é" * dice.randrange(512))).replace(
            '"values": {}', f'"values":{{{values}}}'
        )
        judged = judge([text.encode()], "p" * 512, NOW)
        log.append(judged.events)
        taken += len(judged.events)
        refused += len(judged.rejected)
    assert taken > 20
    assert refused > 20


def test_a_rejected_event_costs_nobody_else(make_event) -> None:
    events = [make_event(1), {"id": "bad"}, make_event(3), make_event(4, type="quantum_mlops.tick.v1", data={})]
    judged = judge(split(json.dumps(events).encode(), BATCH_CONTENT_TYPE), None, NOW)
    assert [event.id for event in judged.events] == ["1", "3"]
    assert judged.places == [0, 2]
    assert [(one.index, one.id, one.code) for one in judged.rejected] == [
        (1, "bad", "malformed"),
        (3, "4", "reserved_type"),
    ]


def test_a_batch_that_the_log_refuses_is_sorted_out(make_event) -> None:
    judged = judge([json.dumps(make_event(number)).encode() for number in range(3)], None, NOW)
    grown = msgspec.structs.replace(judged.events[1].data, values={f"v{number}": 1.0 for number in range(9000)})
    judged.events[1] = msgspec.structs.replace(judged.events[1], data=grown)
    again = sort_out(judged)
    assert [event.id for event in again.events] == ["0", "2"]
    assert [(one.index, one.code) for one in again.rejected] == [(1, "too_large")]


@pytest.mark.parametrize(
    "kind", ["", "application/json", "text/plain", f"{CONTENT_TYPE}; charset=latin-1", "application/cloudevents+avro"]
)
def test_another_content_type_is_refused_with_those_there_are(kind: str) -> None:
    with pytest.raises(Problem, match="application/cloudevents-batch") as refused:
        split(b"{}", kind)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "kind", [CONTENT_TYPE, CONTENT_TYPE.upper(), f"{CONTENT_TYPE}; charset=UTF-8", f'{CONTENT_TYPE};charset="utf-8"']
)
def test_a_content_type_is_read_as_http_writes_it(kind: str) -> None:
    assert split(b"{}", kind) == [b"{}"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"{}", 400), (b"[{}", 400), (b"[" * 100_000, 400), (b"[" + b"0," * 1000 + b"0]", 413)]
)
def test_a_body_that_is_no_list_of_events_is_refused_whole(body: bytes, status: int) -> None:
    with pytest.raises(Problem) as refused:
        split(body, BATCH_CONTENT_TYPE)
    assert refused.value.status == status


@given(st.binary(max_size=300))
def test_nothing_that_comes_raises(data: bytes) -> None:
    judged = judge([data], "p", NOW)
    assert len(judged.events) + len(judged.rejected) == 1


def test_every_event_of_the_contract_comes_through_as_it_was(any_event) -> None:
    @given(any_event)
    def check(event: Event) -> None:
        if event.type in SERVICE_TYPES or not event.time:
            return
        event = msgspec.structs.replace(
            event, time=NOW - abs(event.time) % 10**18 % (20 * 365 * 86_400 * SECOND), ingestedtime=None
        )
        found = judge([encode(event)], event.project or "p", NOW).events
        assert found == [
            msgspec.structs.replace(event, project=event.project or "p", partitionkey=found[0].partitionkey)
        ]

    check()
