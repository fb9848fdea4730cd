"""From messages to what the log takes: events of the project that their topic names, and dead letters of the rest.

Who may write a topic is the broker's to say, by its access list; so the topic says whose an event is, whatever the
event says itself. Each one is judged as at the HTTP door; what is refused there with an answer is kept here with the
reason, for nobody waits for one.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from qml_daemon.ingest.batch import Judged, Rejected, judge, sort_out, stamp
from quantum_mlops.codec import decode, encode
from quantum_mlops.config.mqtt_address import project_of
from quantum_mlops.errors import DecodeError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter

ORIGIN = "mqtt"
NO_TOPIC = "topic"


class Incoming(Struct, frozen=True):
    """One message: what it is about, and its bytes."""

    topic: str
    payload: bytes


class Parcel(Struct, frozen=True):
    """What goes to the log together: `rejected` counts the letters by the code of their reason."""

    events: list[Event]
    letters: list[DeadLetter]
    rejected: Counter[str]
    size_bytes: int


def open_messages(messages: Sequence[Incoming], now: int) -> Parcel:
    """Return what a batch of messages holds, in their order; never raises on content."""
    return _pack(messages, _judge_all(messages, now), now)


def open_again(messages: Sequence[Incoming], now: int) -> Parcel:
    """Return the same with every event tried that the log may refuse; for the rare batch that it did refuse."""
    return _pack(messages, sort_out(_judge_all(messages, now)), now)


def _judge_all(messages: Sequence[Incoming], now: int) -> Judged:
    whole = Judged([], [], [])
    at = 0
    for topic, run in groupby(messages, key=lambda one: one.topic):
        payloads = [one.payload for one in run]
        project = project_of(topic)
        if project is None:
            reason = f"no project writes its topic like {topic[:200]!r}"
            whole.rejected.extend(
                Rejected(index=at + index, id=None, code=NO_TOPIC, reason=reason) for index in range(len(payloads))
            )
        else:
            judged = judge(payloads, project, now)
            whole.events.extend(judged.events)
            whole.places.extend(at + place for place in judged.places)
            whole.rejected.extend(
                Rejected(index=at + one.index, id=one.id, code=one.code, reason=one.reason) for one in judged.rejected
            )
        at += len(payloads)
    return whole


def _pack(messages: Sequence[Incoming], judged: Judged, now: int) -> Parcel:
    letters = [_letter(messages[one.index], one.reason, now) for one in judged.rejected]
    size = sum(len(one.payload) for one in messages)
    return Parcel(judged.events, letters, Counter(one.code for one in judged.rejected), size)


def _letter(message: Incoming, reason: str, now: int) -> DeadLetter:
    """Return a message as a dead letter; an event in it is its topic's, so that putting it back gives it to no other.

    What is no event is kept as it came.
    """
    project = project_of(message.topic)
    try:
        event = decode(message.payload)
        if project is None:
            return DeadLetter(data=message.payload, reason=reason, origin=ORIGIN, key=event.key)
        return DeadLetter(data=encode(stamp(event, project, now)), reason=reason, origin=ORIGIN, key=event.key)
    except (DecodeError, ValueError, TypeError, OverflowError, RecursionError):
        return DeadLetter(data=message.payload, reason=reason, origin=ORIGIN)
