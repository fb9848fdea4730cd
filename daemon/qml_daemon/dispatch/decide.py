"""Whether a group has to say something now: one pure function that names its reason.

Source: Alertmanager, notify/dedup_stage.go, `needsUpdate`.
"""

from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why a notification is sent."""

    FIRST_NOTIFICATION = "first notification"
    NEW_ALERTS = "new alerts in the group"
    NEW_RESOLVED = "alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    NOTICE = "notice"
    REPEAT = "repeat interval elapsed"


class Told(Struct, frozen=True):
    """What the receiver was told last: the keys of alerts that fired, and when (ns)."""

    firing: AbstractSet[str]
    time: int


def needs_notification(
    told: Told | None, firing: AbstractSet[str], resolved: AbstractSet[str], notices: AbstractSet[str], due: int
) -> Reason | None:
    """Return why the receiver has to be told, or None.

    `due` is the time of the last notification from which on it is repeated: now less repeat_interval.
    An alert that opened and closed before the first notification is not told.

    >>> needs_notification(None, {"a"}, set(), set(), 0)
    <Reason.FIRST_NOTIFICATION: 'first notification'>
    >>> needs_notification(Told({"a"}, 5), set(), {"a"}, set(), 0)
    <Reason.ALL_RESOLVED: 'all alerts resolved'>
    """
    if told is None:
        return Reason.FIRST_NOTIFICATION if firing else Reason.NOTICE if notices else None
    grounds = (
        (Reason.NEW_ALERTS, firing - told.firing),
        (Reason.NOTICE, notices),
        (Reason.NEW_RESOLVED if firing else Reason.ALL_RESOLVED, resolved & told.firing),
        (Reason.REPEAT, firing and told.time <= due),
    )
    return next((reason for reason, ground in grounds if ground), None)
