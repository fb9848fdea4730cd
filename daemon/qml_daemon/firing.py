"""What fires by the outbox, for what retention removed from the log.

A finding may stay open for longer than the log is kept. The dispatcher's alerts have no age, so
they say what the log no longer does; what the log still holds is taken from there.
"""

from pathlib import Path

import msgspec

from qml_daemon.alert import Alert
from qml_daemon.deliveries import read_outbox
from qml_daemon.finding import FindingHistory
from quantum_mlops.events import Evidence


def read_alerts(path: Path) -> list[Alert]:
    """Return all alerts that the dispatcher holds, in the order of their keys. Raises as `read_firing`."""
    decode = msgspec.msgpack.Decoder(Alert).decode
    return [decode(body) for (body,) in read_outbox(path, "SELECT body FROM alerts ORDER BY key")]


def read_firing(path: Path) -> list[FindingHistory]:
    """Return the open findings of all firing alerts, without evidence and series, which only the log has.

    Raises:
        LogError: the outbox cannot be read; ConfigError: it cannot be looked at.

    """
    return [
        FindingHistory(
            finding_id=finding_id,
            rule=alert.rule,
            status="firing",
            severity=alert.severity,
            opened=alert.starts,
            labels=alert.labels,
            annotations=alert.annotations,
            values=alert.values,
            details=alert.details,
            evidence=Evidence(),
            late=alert.late,
        )
        for alert in read_alerts(path)
        if alert.status == "firing"
        for finding_id in alert.open
    ]
