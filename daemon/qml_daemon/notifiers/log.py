"""The log notifier: alerts as lines of the daemon's own log."""

import logging
from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from qml_daemon.alert import Alert
from qml_daemon.notification import Notification
from qml_daemon.notifiers.base import Pace
from qml_daemon.plain_text import safe

_logger = logging.getLogger("quantum_mlops.alerts")
_LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


class LogSettings(Struct, frozen=True):
    """`log = {}`: there is nothing to set."""


class LogNotifier:
    """Writes one line an alert with the standard library's logging. Never fails, never blocks on a network."""

    settings: ClassVar[type[Struct]] = LogSettings

    def __init__(self, settings: LogSettings) -> None:  # noqa: ARG002 - the notifiers' contract
        self.lane = "log"
        self.pace: Pace | None = None

    def send(self, notifications: Sequence[Notification]) -> None:
        """See `Notifier.send`."""
        for notification in notifications:
            for alert in notification.alerts:
                level = logging.INFO if alert.status == "resolved" else _LEVELS[alert.severity]
                _logger.log(level, "%s", format_alert(alert))
            hidden = notification.firing + notification.resolved + notification.notices - len(notification.alerts)
            if hidden > 0:
                _logger.warning("… and %d more in this group: quantum-mlops alerts", hidden)

    def close(self) -> None:
        """See `Notifier.close`."""


def format_alert(alert: Alert) -> str:
    """Return the line of an alert, without line breaks and control characters whatever its texts hold."""
    labels = " ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()) if name != "rule")
    values = " ".join(f"{name}={value:.6g}" for name, value in sorted(alert.values.items()))
    summary = alert.annotations.get("summary", "")
    name = f"id={alert.finding_id[:12]}" if alert.finding_id else ""
    parts = (alert.status.upper(), alert.severity, alert.rule, labels, summary, values, name, alert.link)
    return " ".join(safe(part) for part in parts if part)
