from qml_daemon.intake.sieve import sift
from quantum_mlops.codec import MAX_EVENT_BYTES
from quantum_mlops.events import Event, RunStarted, Tick, type_name


def tick(number, **changes):
    fields = {"source": "s", "type": type_name("tick"), "time": 0, "partitionkey": "iris", "data": Tick()} | changes
    return Event(id=str(number), **fields)


def test_what_cannot_be_encoded_or_is_too_large_becomes_a_dead_letter_and_the_rest_keeps_its_order():
    long = "x" * MAX_EVENT_BYTES
    events = [tick(1), tick(2, time=2**70), tick(3, data=RunStarted(name=long)), tick(4, source="\ud800"), tick(5)]
    good, bad = sift(events)
    assert good == [events[0], events[4]]
    assert [letter.key for letter in bad] == [event.key for event in events[1:4]]
    assert all(letter.reason and letter.data and letter.origin == "spool" for letter in bad)
