"""Messages become events or dead letters, each one; nobody speaks for another project."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qml_daemon.mqtt.parcel import Incoming, open_again, open_messages
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.config.mqtt_address import topic_of
from quantum_mlops.events import CalibrationSnapshot, Event

NOW = 1_800_000_000_000_000_000
TOPIC = "qml/v1/iris/events"


@settings(max_examples=40)
@given(st.data())
def test_every_message_is_an_event_or_a_letter_and_no_content_raises(any_event, data):
    payload = st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode), any_event.map(encode))
    topics = st.sampled_from([TOPIC, topic_of("a/b"), "qml/v1/%41/events", "qml/v1/wine/events"])
    messages = [Incoming(*one) for one in data.draw(st.lists(st.tuples(topics, payload), max_size=5))]
    for parcel in (open_messages(messages, NOW), open_again(messages, NOW)):
        assert len(parcel.events) + len(parcel.letters) == len(messages)
        assert sum(parcel.rejected.values()) == len(parcel.letters)
        assert {event.project for event in parcel.events} <= {"iris", "a/b", "wine"}
        assert all(letter.origin == "mqtt" and letter.reason for letter in parcel.letters)


def test_events_keep_their_order_over_topics_that_take_turns(metric):
    messages = [
        Incoming(topic_of(f"p{number % 3}"), metric(number, project="elsewhere") if number % 4 else b"garbage")
        for number in range(24)
    ]
    parcel = open_messages(messages, NOW)
    wanted = [number for number in range(24) if number % 4]
    assert [(int(event.id), event.project) for event in parcel.events] == [(n, f"p{n % 3}") for n in wanted]
    assert {event.partitionkey for event in parcel.events} == {"p0", "p1", "p2"}
    assert [letter.data for letter in parcel.letters] == [b"garbage"] * 6
    assert parcel.rejected == {"malformed": 6}
    assert parcel.size_bytes == sum(len(one.payload) for one in messages)


@pytest.mark.parametrize("padding", [MAX_EVENT_BYTES - 100, 3 * MAX_EVENT_BYTES])
def test_what_is_larger_than_an_event_is_kept_whole(metric, padding):
    payload = metric(1, source="s" * padding)
    parcel = open_messages([Incoming(TOPIC, payload)], NOW)
    assert (parcel.events, parcel.rejected) == ([], {"too_large": 1})
    assert len(parcel.letters[0].data) >= len(payload) - len("elsewhere")


def test_a_calibration_stays_in_the_partition_of_its_device():
    event = Event(
        id="1", source="s", type="quantum_mlops.calibration.snapshot.v1", time=NOW, partitionkey="x", project="other",
        data=CalibrationSnapshot(backend="ibm_fez", calibration_id="c", columns=[]),
    )  # fmt: skip
    (found,) = open_messages([Incoming(TOPIC, encode(event))], NOW).events
    assert (found.project, found.partitionkey) == ("iris", "ibm_fez")
