"""What the log would refuse, found one by one and made dead letters, so that the rest goes on."""

from collections.abc import Sequence

import msgspec

from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.errors import EventTooLargeError
from quantum_mlops.events import SERVICE_TYPES, Event
from quantum_mlops.transports.base import DeadLetter

REFUSALS = (EventTooLargeError, ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)
ORIGIN = "spool"


def refuse_service_types(events: list[Event]) -> tuple[list[Event], list[DeadLetter]]:
    """Return the events that an emitter may send, and dead letters for those that only the service makes."""
    if SERVICE_TYPES.isdisjoint([event.type for event in events]):
        return events, []
    refused = [event for event in events if event.type in SERVICE_TYPES]
    letters = [
        DeadLetter(data=encode(event), reason="this type is made by the service itself", origin=ORIGIN, key=event.key)
        for event in refused
    ]
    return [event for event in events if event.type not in SERVICE_TYPES], letters


def sift(events: Sequence[Event]) -> tuple[list[Event], list[DeadLetter]]:
    """Return the events that the log takes, in order, and dead letters for the others."""
    good: list[Event] = []
    bad: list[DeadLetter] = []
    for event in events:
        try:
            data = encode(event)
        except REFUSALS as error:
            bad.append(
                DeadLetter(data=repr(event).encode("utf-8", "replace"), reason=str(error), origin=ORIGIN, key=event.key)
            )
            continue
        if len(data) > MAX_EVENT_BYTES:
            reason = str(EventTooLargeError(len(data), MAX_EVENT_BYTES))
            bad.append(DeadLetter(data=data, reason=reason, origin=ORIGIN, key=event.key))
        else:
            good.append(event)
    return good, bad
