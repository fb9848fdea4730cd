"""What the log would refuse, found one by one and made dead letters, so that the rest goes on."""

from collections.abc import Sequence

import msgspec

from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.errors import EventTooLargeError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter

REFUSALS = (EventTooLargeError, ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)
ORIGIN = "spool"


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
