"""The book of active alerts: what the findings' transitions make of them."""

from collections.abc import Iterable

from qml_daemon.alert import Alert
from qml_daemon.dispatch.fingerprint import fingerprint
from quantum_mlops.events import Event, FindingChanged, short_name

_OPENING = ("finding.opened", "finding.updated")


class AlertBook:
    """Alerts that fire, or that have ended and are not yet told. Applying a transition twice changes nothing."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self.alerts = {alert.key: alert for alert in alerts}
        self._by_finding = {finding: alert.key for alert in self.alerts.values() for finding in alert.open}

    def apply(self, event: Event) -> Alert | None:
        """Return the alert that the transition changed, or None where it changed none."""
        data = event.data
        if not isinstance(data, FindingChanged):
            return None
        name = short_name(event.type)
        if name in _OPENING:
            return self._fire(event, data)
        if name == "finding.closed":
            return self._resolve(event, data)
        return self._note(event, data)

    def remove(self, key: str) -> None:
        """Forget an alert."""
        alert = self.alerts.pop(key)
        for finding in alert.open:
            self._by_finding.pop(finding, None)

    def _fire(self, event: Event, data: FindingChanged) -> Alert:
        key = self._by_finding.get(data.finding_id)
        labels = self.alerts[key].labels if key is not None else alert_labels(event, data)
        key = key or fingerprint(labels)
        known = self.alerts.get(key)
        alert = _new_alert(event, data, key, labels)
        if known is not None and known.status == "firing":
            alert.starts = known.starts
            alert.open = [*(one for one in known.open if one != data.finding_id), data.finding_id]
            _inherit(alert, known)
        self.alerts[key] = alert
        self._by_finding[data.finding_id] = key
        return alert

    def _resolve(self, event: Event, data: FindingChanged) -> Alert | None:
        key = self._by_finding.pop(data.finding_id, None)
        if key is None:
            return None
        known = self.alerts[key]
        alert = _new_alert(event, data, key, known.labels)
        alert.starts = known.starts
        alert.open = [one for one in known.open if one != data.finding_id]
        _inherit(alert, known)
        if not alert.open:
            alert.status, alert.ends = "resolved", event.time
        self.alerts[key] = alert
        return alert

    def _note(self, event: Event, data: FindingChanged) -> Alert | None:
        if data.finding_id in self.alerts:
            return None
        alert = _new_alert(event, data, data.finding_id, alert_labels(event, data))
        alert.status, alert.open, alert.ends = "notice", [], event.time
        self.alerts[alert.key] = alert
        return alert


def alert_labels(event: Event, data: FindingChanged) -> dict[str, str]:
    """Return the labels of a finding's alert: its own, its rule and the project."""
    project = {"project": event.project} if event.project else {}
    return {**project, **data.labels, "rule": data.rule}


def _new_alert(event: Event, data: FindingChanged, key: str, labels: dict[str, str]) -> Alert:
    return Alert(
        key=key,
        fingerprint=fingerprint(labels),
        finding_id=data.finding_id,
        status="firing",
        rule=data.rule,
        severity=data.severity,
        starts=event.time,
        updated=event.time,
        open=[data.finding_id],
        labels=labels,
        annotations=data.annotations,
        values=data.values,
        details=data.details,
        late=data.late,
        reason=data.reason,
    )


def _inherit(alert: Alert, known: Alert) -> None:
    """Keep what was known where the new transition says nothing of it."""
    alert.annotations = {**known.annotations, **alert.annotations}
    alert.values = alert.values or known.values
    alert.details = alert.details or known.details
    alert.late = alert.late or known.late
