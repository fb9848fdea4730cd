"""A group: alerts that are told together, and what its receiver was told last."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from qml_daemon.alert import Alert, worst_first
from qml_daemon.dispatch.decide import Reason, Told, needs_notification
from qml_daemon.dispatch.fingerprint import fingerprint
from qml_daemon.dispatch.routes import Path
from qml_daemon.notification import MAX_ALERTS, Notification

Members = dict[str, bool]


def never(alert: Alert) -> bool:  # noqa: ARG001 - the signature of a test for silences
    """Nothing is muted."""
    return False


class Group(Struct, kw_only=True):
    """`members` maps an alert's key to whether it was told as firing. `flush` is when to decide next. Times in ns."""

    key: str
    labels: dict[str, str]
    flush: int
    notified: int | None = None
    number: int = 0
    members: Members = field(default_factory=dict)

    def told(self) -> Told | None:
        """Return what the receiver was told last, or None where it was told nothing."""
        if self.notified is None:
            return None
        return Told(frozenset(key for key, told in self.members.items() if told), self.notified)


class Flush(Struct):
    """What a flush of a group comes to: perhaps a notification, and the members afterwards."""

    notification: Notification | None
    members: Members


def flush_group(
    group: Group, path: Path, alerts: Mapping[str, Alert], now: int, is_muted: Callable[[Alert], bool] = never
) -> Flush:
    """Decide what the group says at `now`. Pure: the group and the alerts stay as they are.

    Resolved alerts and notices leave the group with the flush, told or not. Muted alerts are not spoken of;
    those that fire stay in the group, told or untold as before.
    """
    muted = {key for key in group.members if is_muted(alerts[key])}
    members = [alerts[key] for key in group.members if key not in muted]
    by_status: dict[str, set[str]] = {"firing": set(), "resolved": set(), "notice": set()}
    for alert in members:
        by_status[alert.status].add(alert.key)
    quiet = {key: told for key, told in group.members.items() if key in muted and alerts[key].status == "firing"}
    told = group.told()
    reason = needs_notification(
        told, by_status["firing"], by_status["resolved"], by_status["notice"], now - path.repeat_interval
    )
    if reason is None:
        firing = by_status["firing"] | quiet.keys()
        return Flush(None, {key: told for key, told in group.members.items() if key in firing})
    shown = [alert for alert in members if alert.status != "resolved" or (told and alert.key in told.firing)]
    said = dict.fromkeys(sorted(by_status["firing"]), True)
    return Flush(_notify(group, path, shown, reason, now), {**said, **quiet})


def _notify(group: Group, path: Path, shown: list[Alert], reason: Reason, now: int) -> Notification:
    told = " ".join(f"{alert.finding_id}/{alert.status}" for alert in shown)
    name = {"group": group.key, "time": str(now), "number": str(group.number), "alerts": told}
    counts = {status: sum(alert.status == status for alert in shown) for status in ("firing", "resolved", "notice")}
    return Notification(
        id=fingerprint(name),
        group=group.key,
        receiver=path.receiver,
        reason=reason.value,
        time=now,
        labels=group.labels,
        alerts=worst_first(shown)[:MAX_ALERTS],
        firing=counts["firing"],
        resolved=counts["resolved"],
        notices=counts["notice"],
    )
