"""A notification: what one group tells one receiver at one time, and how waiting ones are merged."""

from collections.abc import Iterable

from msgspec import Struct, field

from qml_daemon.alert import Alert, worst_first

MAX_ALERTS = 50


class Notification(Struct, kw_only=True, omit_defaults=True):
    """One message's content. `id` is stable: the same over every attempt to deliver it.

    `firing`, `resolved` and `notices` count all alerts of the group, `alerts` holds the worst of them,
    at most 50. `reason` is why it was sent. `time` is nanoseconds UTC.
    """

    id: str
    group: str
    receiver: str
    reason: str
    time: int
    labels: dict[str, str] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    firing: int = 0
    resolved: int = 0
    notices: int = 0


def merge(notifications: Iterable[Notification]) -> list[Notification]:
    """Return one notification a group, in the order of their last ones.

    What waited together is told once: of each alert the latest, of each group the latest counts. Pure.
    """
    merged: dict[str, Notification] = {}
    for later in notifications:
        earlier = merged.pop(later.group, None)
        merged[later.group] = later if earlier is None else _join(earlier, later)
    return list(merged.values())


def _join(earlier: Notification, later: Notification) -> Notification:
    alerts = {alert.key: alert for alert in (*earlier.alerts, *later.alerts)}
    told_again = {alert.key for alert in later.alerts}
    missed = [alert for alert in earlier.alerts if alert.key not in told_again and alert.status != "firing"]
    return Notification(
        id=later.id,
        group=later.group,
        receiver=later.receiver,
        reason=later.reason,
        time=later.time,
        labels=later.labels,
        alerts=worst_first([alert for key, alert in alerts.items() if key in told_again or alert in missed])[
            :MAX_ALERTS
        ],
        firing=later.firing,
        resolved=later.resolved + sum(alert.status == "resolved" for alert in missed),
        notices=later.notices + sum(alert.status == "notice" for alert in missed),
    )
